"""Pointwise operators give the same numbers wherever their elements lie: loops that are taken over from libraries are tried with steps."""

import numpy as np
import pytest

import runtime as rt

N = 150  # longer than the registers that loops are unrolled over

UNARY = """abs acos acosh angle asin asinh atan atanh bitwise_not ceil conj_physical cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor
frac isinf isnan isneginf isposinf lgamma log log10 log1p log2 logical_not nan_to_num neg rad2deg reciprocal relu round rsqrt sigmoid
sign signbit sin sinc sinh sqrt square tan tanh trunc""".split()
BINARY = """add atan2 bitwise_and bitwise_or bitwise_xor copysign div eq floor_divide fmax fmin fmod ge gt heaviside hypot le logaddexp logical_and
logical_or lt maximum minimum mul ne nextafter pow remainder sub xlogy""".split()
DTYPES = ["float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool", "complex64", "complex128"]


def _values(dtype, columns):
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((N, columns)) * 3
    numbers[rng.random((N, columns)) < 0.1] = np.inf
    numbers[rng.random((N, columns)) < 0.1] = np.nan
    if dtype.startswith(("int", "uint", "bool")):
        numbers = rng.integers(1, 9, (N, columns)).astype(float)
    return rt.from_numpy(numbers).to(getattr(rt, dtype))


def _result(call):
    """The result, or None where the operator has no such dtype."""
    try:
        return call()
    except (RuntimeError, TypeError):
        return None


def _same(a, b):
    a, b = (x.view(rt.uint16) if x.dtype == rt.bfloat16 else x for x in (a.contiguous(), b.contiguous()))
    return np.array_equal(a.numpy(), b.numpy(), equal_nan=True) or np.allclose(a.numpy(), b.numpy(), rtol=1e-5, equal_nan=True)


def _agrees(name, dtype, inputs):
    """Whether results over every step, into outputs with every step, are those of contiguous operands."""
    function = getattr(rt, name)
    into = getattr(rt.ops.aten, name).out if name in ("isinf", "isnan", "relu") else function
    for step in range(1, 10):
        given = [_values(dtype, step)[:, 0] for _ in range(inputs)]
        expected = _result(lambda given=given: function(*(x.contiguous() for x in given)))
        if expected is None:
            return True
        if not _same(function(*given), expected):
            return False
        table = [_values(dtype, 3 * step)[:, ::step] for _ in range(inputs)]
        if not _same(function(*table), function(*(x.contiguous() for x in table))):
            return False
        for other in (1, 2, 3, 4, 8):
            out = rt.zeros(N, other, dtype=expected.dtype)
            into(*given, out=out[:, 0])
            if not _same(out[:, 0], expected) or out[:, 1:].any():
                return False
    return True


@pytest.mark.parametrize("name", UNARY)
def test_unary_operators_are_the_same_for_every_step(name):
    assert [dtype for dtype in DTYPES if not _agrees(name, dtype, 1)] == []


@pytest.mark.parametrize("name", BINARY)
def test_binary_operators_are_the_same_for_every_step(name):
    assert [dtype for dtype in DTYPES if not _agrees(name, dtype, 2)] == []
