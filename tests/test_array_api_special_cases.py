"""Special cases of the array API standard: infinities, NaN and signed zeros, function by function.

The tables are the standard's lists, in the order (arguments, result). `P`, `M` stand for a positive and a negative finite number.
"""

import math

import numpy as np
import pytest

import runtime.array_api as xp

inf, nan, pi = math.inf, math.nan, math.pi

UNARY = {
    "abs": [(nan, nan), (-0.0, 0.0), (-inf, inf)],
    "acos": [(nan, nan), (1.5, nan), (-1.5, nan), (1.0, 0.0)],
    "acosh": [(nan, nan), (0.5, nan), (1.0, 0.0), (inf, inf)],
    "asin": [(nan, nan), (1.5, nan), (-1.5, nan), (0.0, 0.0), (-0.0, -0.0)],
    "asinh": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -inf)],
    "atan": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, pi / 2), (-inf, -pi / 2)],
    "atanh": [(nan, nan), (-1.5, nan), (1.5, nan), (-1.0, -inf), (1.0, inf), (0.0, 0.0), (-0.0, -0.0)],
    "ceil": [(inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0), (nan, nan), (-0.5, -0.0), (0.5, 1.0), (3.0, 3.0)],
    "cos": [(nan, nan), (0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan)],
    "cosh": [(nan, nan), (0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, inf)],
    "exp": [(nan, nan), (0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0)],
    "expm1": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -1.0)],
    "floor": [(inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0), (nan, nan), (-0.5, -1.0), (0.5, 0.0), (3.0, 3.0)],
    "log": [(nan, nan), (-1.0, nan), (0.0, -inf), (-0.0, -inf), (1.0, 0.0), (inf, inf)],
    "log1p": [(nan, nan), (-2.0, nan), (-1.0, -inf), (-0.0, -0.0), (0.0, 0.0), (inf, inf)],
    "log2": [(nan, nan), (-1.0, nan), (0.0, -inf), (-0.0, -inf), (1.0, 0.0), (inf, inf)],
    "log10": [(nan, nan), (-1.0, nan), (0.0, -inf), (-0.0, -inf), (1.0, 0.0), (inf, inf)],
    "negative": [(nan, nan), (inf, -inf), (-inf, inf), (0.0, -0.0), (-0.0, 0.0)],
    "positive": [(nan, nan), (inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0)],
    "reciprocal": [(nan, nan), (inf, 0.0), (-inf, -0.0), (0.0, inf), (-0.0, -inf)],
    "round": [
        (inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0), (nan, nan), (0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-0.5, -0.0), (-1.5, -2.0),
        (-2.5, -2.0),
    ],
    "sign": [(nan, nan), (0.0, 0.0), (-0.0, 0.0), (-2.0, -1.0), (2.0, 1.0), (inf, 1.0), (-inf, -1.0)],
    "sin": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)],
    "sinh": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -inf)],
    "sqrt": [(nan, nan), (-1.0, nan), (0.0, 0.0), (-0.0, -0.0), (inf, inf)],
    "square": [(nan, nan), (inf, inf), (-inf, inf), (-0.0, 0.0)],
    "tan": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)],
    "tanh": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0)],
    "trunc": [(inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0), (nan, nan), (-0.5, -0.0), (0.5, 0.0), (-1.5, -1.0)],
    "isfinite": [(inf, False), (-inf, False), (nan, False), (1.0, True)],
    "isinf": [(inf, True), (-inf, True), (nan, False), (1.0, False)],
    "isnan": [(inf, False), (-inf, False), (nan, True), (1.0, False)],
    "signbit": [(0.0, False), (-0.0, True), (inf, False), (-inf, True), (2.0, False), (-2.0, True), (math.copysign(nan, 1), False),
                (math.copysign(nan, -1), True)],
}  # fmt: skip

P, M = 2.5, -2.5

BINARY = {
    "add": [
        (nan, 1.0, nan), (1.0, nan, nan), (inf, -inf, nan), (-inf, inf, nan), (inf, inf, inf), (-inf, -inf, -inf), (inf, P, inf),
        (-inf, P, -inf), (P, inf, inf), (P, -inf, -inf), (-0.0, -0.0, -0.0), (-0.0, 0.0, 0.0), (0.0, -0.0, 0.0), (0.0, 0.0, 0.0),
        (0.0, P, P), (-0.0, M, M), (P, -P, 0.0),
    ],
    "atan2": [
        (nan, 1.0, nan), (1.0, nan, nan), (P, 0.0, pi / 2), (P, -0.0, pi / 2), (0.0, P, 0.0), (0.0, 0.0, 0.0), (0.0, -0.0, pi),
        (0.0, M, pi), (-0.0, P, -0.0), (-0.0, 0.0, -0.0), (-0.0, -0.0, -pi), (-0.0, M, -pi), (M, 0.0, -pi / 2), (M, -0.0, -pi / 2),
        (P, inf, 0.0), (P, -inf, pi), (M, inf, -0.0), (M, -inf, -pi), (inf, P, pi / 2), (-inf, P, -pi / 2), (inf, inf, pi / 4),
        (inf, -inf, 3 * pi / 4), (-inf, inf, -pi / 4), (-inf, -inf, -3 * pi / 4),
    ],
    "copysign": [
        (P, 0.0, P), (P, -0.0, -P), (P, M, -P), (M, P, P), (nan, 1.0, nan), (1.0, math.copysign(nan, 1), 1.0),
        (1.0, math.copysign(nan, -1), -1.0), (0.0, -1.0, -0.0), (inf, -1.0, -inf),
    ],
    "divide": [
        (nan, 1.0, nan), (1.0, nan, nan), (inf, inf, nan), (inf, -inf, nan), (0.0, 0.0, nan), (0.0, -0.0, nan), (0.0, P, 0.0),
        (-0.0, P, -0.0), (0.0, M, -0.0), (-0.0, M, 0.0), (P, 0.0, inf), (P, -0.0, -inf), (M, 0.0, -inf), (M, -0.0, inf), (inf, P, inf),
        (inf, M, -inf), (-inf, P, -inf), (-inf, M, inf), (P, inf, 0.0), (P, -inf, -0.0), (M, inf, -0.0), (M, -inf, 0.0),
    ],
    "floor_divide": [
        (nan, 1.0, nan), (1.0, nan, nan), (inf, inf, nan), (-inf, inf, nan), (0.0, 0.0, nan), (-0.0, 0.0, nan), (0.0, P, 0.0),
        (-0.0, P, -0.0), (0.0, M, -0.0), (-0.0, M, 0.0), (P, 0.0, inf), (P, -0.0, -inf), (M, 0.0, -inf), (M, -0.0, inf), (inf, P, inf),
        (inf, M, -inf), (-inf, P, -inf), (-inf, M, inf), (P, inf, 0.0), (P, -inf, -0.0), (M, inf, -0.0), (M, -inf, 0.0), (5.0, -2.0, -3.0),
        (-5.0, -2.0, 2.0),
    ],
    "hypot": [(inf, nan, inf), (-inf, nan, inf), (nan, inf, inf), (nan, 1.0, nan), (1.0, nan, nan), (inf, 1.0, inf), (0.0, -0.0, 0.0)],
    "logaddexp": [(nan, 1.0, nan), (1.0, nan, nan), (inf, 1.0, inf), (1.0, inf, inf), (-inf, -inf, -inf), (-inf, 1.0, 1.0)],
    "maximum": [(nan, 1.0, nan), (1.0, nan, nan), (inf, 1.0, inf), (-inf, 1.0, 1.0)],
    "minimum": [(nan, 1.0, nan), (1.0, nan, nan), (inf, 1.0, 1.0), (-inf, 1.0, -inf)],
    "multiply": [
        (nan, 1.0, nan), (1.0, nan, nan), (inf, 0.0, nan), (-inf, 0.0, nan), (inf, -0.0, nan), (0.0, inf, nan), (inf, inf, inf),
        (inf, -inf, -inf), (-inf, -inf, inf), (inf, M, -inf), (M, -inf, inf), (0.0, M, -0.0), (-0.0, M, 0.0),
    ],
    "nextafter": [(nan, 1.0, nan), (1.0, nan, nan), (0.0, -0.0, -0.0), (-0.0, 0.0, 0.0), (inf, inf, inf)],
    "pow": [
        (1.5, inf, inf), (-1.5, -inf, 0.0), (1.0, nan, 1.0), (1.0, inf, 1.0), (1.0, -inf, 1.0), (nan, 0.0, 1.0), (nan, -0.0, 1.0),
        (inf, 0.0, 1.0), (0.0, -0.0, 1.0), (nan, 1.0, nan), (2.0, nan, nan), (-1.0, inf, 1.0), (-1.0, -inf, 1.0), (0.5, inf, 0.0),
        (0.5, -inf, inf), (-0.5, inf, 0.0), (inf, P, inf), (inf, M, 0.0), (-inf, 3.0, -inf), (-inf, 2.0, inf), (-inf, 2.5, inf),
        (-inf, -3.0, -0.0), (-inf, -2.0, 0.0), (-inf, -2.5, 0.0), (0.0, P, 0.0), (0.0, M, inf), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0.0),
        (-0.0, 2.5, 0.0), (-0.0, -3.0, -inf), (-0.0, -2.0, inf), (-0.0, -2.5, inf), (-2.0, 0.5, nan),
    ],
    "remainder": [
        (nan, 1.0, nan), (1.0, nan, nan), (inf, inf, nan), (inf, -inf, nan), (0.0, 0.0, nan), (0.0, P, 0.0), (-0.0, P, 0.0), (0.0, M, -0.0),
        (-0.0, M, -0.0), (P, 0.0, nan), (P, -0.0, nan), (M, 0.0, nan), (inf, P, nan), (inf, M, nan), (-inf, P, nan), (-inf, M, nan),
        (P, inf, P), (P, -inf, -inf), (M, inf, inf), (M, -inf, M), (5.0, -2.0, -1.0), (-5.0, 2.0, 1.0), (4.0, -2.0, -0.0),
    ],
    "subtract": [(nan, 1.0, nan), (inf, inf, nan), (-inf, -inf, nan), (inf, -inf, inf), (0.0, 0.0, 0.0), (-0.0, 0.0, -0.0)],
    "greater": [(nan, 1.0, False), (1.0, nan, False), (inf, 1.0, True), (-0.0, 0.0, False)],
    "less_equal": [(nan, 1.0, False), (-inf, 1.0, True), (inf, inf, True), (-0.0, 0.0, True)],
    "equal": [(nan, nan, False), (inf, inf, True), (-inf, inf, False), (-0.0, 0.0, True)],
    "not_equal": [(nan, nan, True), (-0.0, 0.0, False)],
}  # fmt: skip

OPERATORS = {"abs": "__abs__", "negative": "__neg__", "positive": "__pos__", "add": "__add__", "divide": "__truediv__",
             "floor_divide": "__floordiv__", "multiply": "__mul__", "pow": "__pow__", "remainder": "__mod__", "subtract": "__sub__",
             "greater": "__gt__", "less_equal": "__le__", "equal": "__eq__", "not_equal": "__ne__"}  # fmt: skip


def same(got, want):
    """Whether two numbers are equal, with NaN equal to itself and zeros only to zeros of their sign."""
    if isinstance(want, bool):
        return got is want
    if math.isnan(want):
        return math.isnan(got)
    return math.isclose(got, want, rel_tol=1e-6) and math.copysign(1, got) == math.copysign(1, want)


@pytest.mark.parametrize("count", [1, 37])
@pytest.mark.parametrize("dtype", [xp.float32, xp.float64])
def test_functions_of_one_argument_have_the_special_cases_of_the_standard(dtype, count):
    for name, cases in UNARY.items():
        for x, want in cases:
            for function in (getattr(xp, name), lambda a, n=name: getattr(a, OPERATORS.get(n, ""), lambda: getattr(xp, n)(a))()):
                got = function(xp.full((count,), x, dtype=dtype))
                assert all(same(value, want) for value in got.tolist()), (name, x, want, got)


@pytest.mark.parametrize("count", [1, 37])
@pytest.mark.parametrize("dtype", [xp.float32, xp.float64])
def test_functions_of_two_arguments_have_the_special_cases_of_the_standard(dtype, count):
    for name, cases in BINARY.items():
        for x1, x2, want in cases:
            a, b = (xp.full((count,), x, dtype=dtype) for x in (x1, x2))
            results = [getattr(xp, name)(a, b), getattr(xp, name)(a, x2), getattr(xp, name)(x1, b), getattr(xp, name)(a, b[0])]
            if name in OPERATORS:
                results += [getattr(a, OPERATORS[name])(b), getattr(a, OPERATORS[name])(x2)]
                if not isinstance(want, bool):
                    results.append(getattr(b, f"__r{OPERATORS[name][2:]}")(x1))
                    results.append(getattr(xp.asarray(a, copy=True), f"__i{OPERATORS[name][2:]}")(b))
            for got in results:
                assert all(same(value, want) for value in got.tolist()), (name, x1, x2, want, got)


GRID = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, inf, -inf, nan, 1e30, 800.0]


def agree(got, want):
    """Equal to a relative error; NaN equals NaN, and zeros are of one sign."""
    got, want = np.asarray(got), np.asarray(want)
    if want.dtype == bool:
        np.testing.assert_array_equal(got, want)
        return
    for g, w in ((got.real, want.real), (got.imag, want.imag)):
        tolerance = 1e-5 if w.dtype == np.float32 else 1e-12
        with np.errstate(all="ignore"):
            close = np.isfinite(g) & np.isfinite(w) & (np.abs(g - w) <= tolerance * np.abs(w))
        equal = (np.isnan(g) & np.isnan(w)) | ((g == w) & (np.signbit(g) == np.signbit(w))) | (close & (w != 0))
        assert equal.all(), (got[~equal][:5], want[~equal][:5])


COMPLEX = {"acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan", "atanh": "arctanh"} | {
    name: name
    for name in ("abs", "conj", "cos", "cosh", "exp", "imag", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2",
                 "negative", "real", "sin", "sinh", "sqrt", "tan", "tanh")
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_special_cases_are_those_of_c99_as_numpy_has_them(dtype):
    x = np.empty((len(GRID), len(GRID)), dtype)
    x.real, x.imag = np.array(GRID)[:, None], GRID
    x = x.reshape(-1)
    with np.errstate(all="ignore"):
        for name, theirs in COMPLEX.items():
            agree(getattr(xp, name)(xp.asarray(x)), getattr(np, theirs)(x))
        a, b = np.repeat(x, len(x)), np.tile(x, len(x))
        for name in ("add", "subtract", "multiply", "divide"):
            agree(getattr(xp, name)(xp.asarray(a), xp.asarray(b)), getattr(np, name)(a, b))


def test_the_sign_of_a_complex_number_is_the_number_on_the_unit_circle():
    got = xp.sign(xp.asarray([3 + 4j, 0j, -2j, complex(nan, 0)], dtype=xp.complex128)).tolist()
    assert got[:3] == pytest.approx([0.6 + 0.8j, 0j, -1j]) and math.isnan(got[3].real)


def test_rounding_a_complex_number_rounds_its_parts():
    assert xp.round(xp.asarray([1.5 - 2.5j])).tolist() == [2 - 2j]


@pytest.mark.parametrize("dtype", [xp.float32, xp.float64])
def test_reductions_of_nothing_and_of_nan(dtype):
    empty = xp.empty((0, 3), dtype=dtype)
    assert xp.sum(empty, axis=0).tolist() == [0, 0, 0] and xp.prod(empty, axis=0).tolist() == [1, 1, 1]
    assert all(math.isnan(v) for v in xp.mean(empty, axis=0).tolist() + xp.std(empty, axis=0).tolist() + xp.var(empty, axis=0).tolist())
    assert xp.all(empty).tolist() is True and xp.any(empty).tolist() is False
    x = xp.asarray([1.0, nan, 2.0], dtype=dtype)
    for name in ("sum", "prod", "max", "min", "mean", "std", "var"):
        assert math.isnan(float(getattr(xp, name)(x))), name


@pytest.mark.parametrize("correction", [2, 3.5])
def test_variances_without_degrees_of_freedom_are_nan(correction):
    x = xp.asarray([[1.0, 2.0]])
    for name in ("var", "std"):
        got = getattr(xp, name)(x, axis=1, correction=correction, keepdims=True)
        assert got.shape == (1, 1) and math.isnan(float(got[0, 0]))


def test_limits_that_are_nan_make_nan():
    x = xp.asarray([1.0, nan, 3.0])
    assert all(math.isnan(v) for v in xp.clip(x, nan, 2.0).tolist() + xp.clip(x, 0.0, nan).tolist())
    assert [math.isnan(v) for v in xp.clip(x, 0.0, 2.0).tolist()] == [False, True, False]


def test_every_nan_is_a_distinct_element_of_a_set():
    values, indices, inverse, counts = xp.unique_all(xp.asarray([nan, 1.0, nan, 1.0]))
    assert counts.tolist() == [2, 1, 1] and sorted(inverse.tolist()) == [0, 0, 1, 2] and indices.tolist()[0] == 1
    assert values.tolist()[0] == 1.0 and all(math.isnan(v) for v in values.tolist()[1:])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_expm1_of_complex_infinities_is_that_of_the_standard(dtype):
    # NumPy's is NaN for most of them.
    cases = [
        (complex(inf, 0), complex(inf, 0)), (complex(-inf, inf), complex(-1, 0)), (complex(-inf, nan), complex(-1, 0)),
        (complex(-inf, 1), complex(-1, 0)), (complex(inf, inf), complex(inf, nan)), (complex(inf, nan), complex(inf, nan)),
        (complex(nan, 0), complex(nan, 0)), (complex(1, inf), complex(nan, nan)), (complex(1, nan), complex(nan, nan)),
        (complex(nan, 1), complex(nan, nan)), (complex(nan, nan), complex(nan, nan)), (complex(0, 0), complex(0, 0)),
        (complex(-0.0, 0), complex(-0.0, 0)), (complex(1e-20, 1e-20), complex(1e-20, 1e-20)),
    ]  # fmt: skip
    x, want = (np.array(column, dtype) for column in zip(*cases))
    agree(xp.expm1(xp.asarray(x)), want)
