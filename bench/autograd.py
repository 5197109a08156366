"""The rows about autograd: recording calls, running backward, scopes, and a training step. Single thread."""

import contextlib
import importlib

import numpy as np

from bench.core import tensors
from bench.row import Faster, Row, beside

CHAIN = 1_000_000


@contextlib.contextmanager
def recorded(world):
    """The small tensors, and `ar`, `xr` and `w`, which require gradients; `F` is a custom function and `no_grad` the scope."""
    autograd = importlib.import_module(f"{world.lib.__name__}.autograd")

    class Scaled(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    with tensors(world) as names:
        yield names | {
            "ar": names["a"].clone().requires_grad_(),
            "xr": names["x"].clone().requires_grad_(),
            "w": world.tensor(np.linspace(-1, 1, 256, dtype=np.float32).reshape(16, 16)).requires_grad_(),
            "F": Scaled,
            "no_grad": autograd.no_grad,
            "autocast": world.lib.autocast,
        }


@contextlib.contextmanager
def chain(world):
    """`end` of a chain of additions, and the gradient `one` of it."""
    value = world.tensor(np.ones(1, np.float32)).requires_grad_()
    for _ in range(CHAIN):
        value = value + 1
    yield {"end": value, "one": world.tensor(np.ones(1, np.float32))}


@contextlib.contextmanager
def training(world):
    """`step` trains a network of three layers on one batch."""
    nn, lib = importlib.import_module(f"{world.lib.__name__}.nn"), world.lib
    functional = importlib.import_module(f"{lib.__name__}.nn.functional")
    optim = importlib.import_module(f"{lib.__name__}.optim")
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    batch = world.tensor(rng.standard_normal((64, 64)).astype(np.float32))
    labels = world.tensor(rng.integers(0, 10, 64))

    def step():
        optimizer.zero_grad()
        functional.cross_entropy(model(batch), labels).backward()
        optimizer.step()

    yield {"step": step}


ROWS = [
    Row("autograd", "`ar + b` with requires_grad", (Faster("torch", 12),), recorded, beside("ar + b")),
    Row("autograd", "forward + backward of `(x @ W).relu().sum()`, 16x16", (Faster("torch", 8),), recorded,
        beside("(xr @ w).relu().sum().backward()")),
    Row("autograd", "`autograd.Function` forward", (Faster("torch", 10),), recorded, beside("F.apply(ar)")),
    Row("autograd", "`no_grad()` enter + exit", (Faster("torch", 10),), recorded, beside("with no_grad():\n    pass")),
    Row("autograd", "autocast mm 16x16, with the region's entry and exit", (Faster("torch", 8),), recorded,
        beside("with autocast('cpu'):\n    lib.mm(x, x)")),
    Row("autograd", "backward over a chain of 1,000,000 nodes", (Faster("torch", 3),), chain, beside("end.backward(one, retain_graph=True)"),
        quick=False),
    Row("autograd", "training step of a 3-layer MLP (64-256-256-10, batch 64)", (Faster("torch", 2),), training, beside("step()")),
]  # fmt: skip
