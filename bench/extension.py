"""The rows about extending from Python beyond plain kernels. Single thread, tensors of 4 elements."""

import contextlib
import importlib

import numpy as np

from bench.core import LETTERS
from bench.row import Faster, Row, beside


@contextlib.contextmanager
def custom_operators(world):
    """Custom operators `one` and `many` of 1 and 14 tensors that clone the first one, and their arguments."""
    library = importlib.import_module(f"{world.lib.__name__}.library")
    names = {"Tensor": world.lib.Tensor}
    for name, letters in (("one", LETTERS[:1]), ("many", LETTERS)):
        exec(f"def {name}({', '.join(f'{t}: Tensor' for t in letters)}) -> Tensor:\n    return t0.clone()", names)
        names[name] = library.custom_op(f"bench_custom::{name}", names[name], mutates_args=())
    yield names | {t: world.tensor(np.full(4, i, np.float32)) for i, t in enumerate(LETTERS)}


ROWS = [
    Row("extension", "custom_op one input (clone)", (Faster("torch", 30),), custom_operators, beside("one(t0)", function="t0.clone()")),
    Row("extension", "custom_op 14 inputs", (Faster("torch", 30),), custom_operators, beside(f"many({', '.join(LETTERS)})")),
]
