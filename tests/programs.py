"""Small programs that run with PyTorch and with this package, and must print the same.

A program is a generator function that takes the module: everything it yields is an outcome, and so is the exception that ends it. Programs
are collected by `Programs`, one per test file; the tests that run them are marked ``oracle``.
"""

import gc
import re
import warnings

import runtime as rt


class Ours:
    """This package with the few names that programs need and that it has elsewhere."""

    _core = rt._core

    def __getattr__(self, name):
        if name in ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled", "is_grad_enabled", "is_inference_mode_enabled"):
            return getattr(rt._core, name)
        return getattr(rt, name)


ours = Ours()


class Programs(dict):
    """The programs of a test file by name; used as a decorator."""

    def __call__(self, program):
        assert program.__name__ not in self, program.__name__
        self[program.__name__] = program
        return program

    def compare(self, name):
        """Run a program on both sides and compare what it shows."""
        import torch

        gc.freeze()  # what there is before is no business of a program's collections
        want = outcomes(torch, self[name])
        got = outcomes(ours, self[name])
        for i, (one, other) in enumerate(zip(got, want)):
            assert one == other, f"outcome {i} of {name}"
        assert len(got) == len(want), f"{name}: {got[len(want) :] or want[len(got) :]}"


def attempt(function, *args, **kwargs):
    """What a call returns, or the error it raises."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def warned(function, *args, **kwargs):
    """The result of a call, and the categories and texts of its warnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = attempt(function, *args, **kwargs)
    return result, [(w.category.__name__, str(w.message).partition("(Triggered internally")[0]) for w in found]


def outcomes(module, program):
    """Everything a program shows, in a form that does not tell which module ran it."""
    shown = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for value in program(module):
                shown.append(show(value))
        except Exception as error:
            shown.append(show(error))
        finally:
            gc.collect()
    return shown


def text_of(value):
    """A text without addresses, module names and what an error says about the C++ side."""
    value = re.sub(r"0x[0-9a-f]+", "0x", value)
    value = re.sub(r"\b(runtime|torch)\.(_C\.)?", "", value).partition("\nException raised from")[0]
    return value.rstrip()


def show(value):
    """A value as plain data."""
    kind = type(value)
    if isinstance(value, BaseException):
        return f"{kind.__name__}: {text_of(str(value))}"
    if isinstance(value, (str, bytes)):
        return text_of(value) if isinstance(value, str) else value
    if value is None or kind in (bool, int):
        return value
    if kind in (float, complex):
        return number(value)
    if isinstance(value, dict):
        return {show(k): show(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [kind.__name__ if kind in (tuple, list) else "tuple", *map(show, value)]
    if hasattr(value, "grad_fn") and hasattr(value, "stride"):
        return tensor_shown(value)
    if hasattr(value, "next_functions"):
        return f"node {value.name()}"
    if kind.__name__ == "dtype":
        return text_of(str(value))
    return text_of(repr(value))


def tensor_shown(tensor):
    node = attempt(lambda: tensor.grad_fn)
    plain = tensor.detach()
    return {
        "class": type(tensor).__name__,
        "dtype": text_of(str(tensor.dtype)),
        "shape": tuple(tensor.shape),
        "requires_grad": tensor.requires_grad,
        "grad_fn": node if isinstance(node, str) else node and node.name(),
        "values": numbers(plain.resolve_conj().resolve_neg().tolist()) if tensor.device.type == "cpu" else "meta",
    }


def numbers(value):
    return [numbers(v) for v in value] if isinstance(value, list) else number(value)


def number(value):
    if isinstance(value, complex):
        return number(value.real), number(value.imag)
    if not isinstance(value, float):
        return value
    shown = f"{value:.4g}"
    return "0" if shown == "-0" or abs(value) < 1e-6 else shown
