"""The functions and operators of `runtime.array_api` compute what array-api-strict computes, for random arrays of every dtype and shape.

array-api-strict is the standard's own reference on NumPy. It refuses what the standard does not define, so every sample here is defined.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runtime.array_api as xp

strict = pytest.importorskip("array_api_strict")

BOOL = ["bool"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float32", "float64"]
COMPLEX = ["complex64", "complex128"]
REAL = INTEGERS + FLOATS
NUMERIC = REAL + COMPLEX
ALL = BOOL + NUMERIC

pytestmark = pytest.mark.filterwarnings("ignore")
# Samples are small already: shrinking a failure would take minutes.
common = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate])
quick = settings(common, max_examples=25, derandomize=True)
wide = settings(common, max_examples=400)


def elements(dtype, low=-8, high=8):
    """Numbers near 0 and, for floating-point dtypes, infinities, NaN and both zeros."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind in "iu":
        return st.integers(max(low, np.iinfo(dtype).min), high)
    if dtype.kind == "f":
        numbers = st.floats(low, high, width=dtype.itemsize * 8, allow_subnormal=False)
        return numbers | st.sampled_from([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1.0, 0.5, -0.5, 2.5])
    return st.complex_numbers(max_magnitude=high, width=dtype.itemsize * 8, allow_subnormal=False)


@st.composite
def arrays(draw, dtypes, shape=None, low=-8, high=8):
    dtype = draw(st.sampled_from(dtypes))
    if shape is None:
        shape = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    return draw(hnp.arrays(dtype, shape, elements=elements(dtype, low, high), fill=st.nothing()))


def promotes(a, b):
    try:
        strict.result_type(getattr(strict, a), getattr(strict, b))
    except TypeError:
        return False
    return True


@st.composite
def pairs(draw, dtypes, low=-8, high=8):
    """Two arrays that broadcast, of dtypes that promote."""
    a, b = draw(st.sampled_from([(a, b) for a in dtypes for b in dtypes if promotes(a, b)]))
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3)).input_shapes
    return tuple(draw(arrays([d], s, low, high)) for d, s in zip((a, b), shapes, strict=True))


def ours(value):
    return xp.asarray(value.copy()) if isinstance(value, np.ndarray) else value


def theirs(value):
    return strict.asarray(value.copy()) if isinstance(value, np.ndarray) else value


def dtype_name(dtype):
    return str(dtype).rpartition(".")[2]


def agree(mine, reference, rtol=None):
    """Both are arrays of one dtype, shape and value, or tuples of such."""
    if isinstance(reference, (tuple, list)):
        assert isinstance(mine, tuple) and len(mine) == len(reference)
        for one, other in zip(mine, reference, strict=True):
            agree(one, other, rtol)
        return
    assert isinstance(mine, xp.Array)
    assert mine.shape == reference.shape
    assert dtype_name(mine.dtype) == dtype_name(reference.dtype)
    got, want = np.asarray(mine), np.asarray(reference._array)
    if want.dtype.kind in "fc":
        rtol = rtol or (1e-4 if want.dtype in (np.float32, np.complex64) else 1e-9)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
    else:
        np.testing.assert_array_equal(got, want)


def same_call(name, *args, module="", rtol=None, **kwargs):
    """Call a function of both namespaces with the same arguments and compare."""
    mine, reference = (getattr(n, module) if module else n for n in (xp, strict))
    want = getattr(reference, name)(*map(theirs, args), **{k: theirs(v) for k, v in kwargs.items()})
    got = getattr(mine, name)(*map(ours, args), **{k: ours(v) for k, v in kwargs.items()})
    agree(got, want, rtol)


def dtypes_of(name):
    """The names in an argument of the data-type argument of a namespace."""
    return getattr(xp, name), getattr(strict, name)


UNARY = {
    "abs": NUMERIC, "bitwise_invert": BOOL + INTEGERS, "ceil": REAL, "conj": NUMERIC, "floor": REAL, "imag": COMPLEX,
    "isfinite": NUMERIC, "isinf": NUMERIC, "isnan": NUMERIC, "logical_not": BOOL, "negative": NUMERIC, "positive": NUMERIC, "real": NUMERIC,
    "round": NUMERIC, "sign": NUMERIC, "signbit": FLOATS, "square": NUMERIC, "trunc": REAL, "reciprocal": FLOATS,
} | dict.fromkeys([
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "expm1", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt",
    "tan", "tanh",
], FLOATS + COMPLEX)  # fmt: skip

BINARY = {
    "add": NUMERIC, "atan2": FLOATS, "bitwise_and": BOOL + INTEGERS, "bitwise_or": BOOL + INTEGERS, "bitwise_xor": BOOL + INTEGERS,
    "copysign": FLOATS, "divide": FLOATS + COMPLEX, "equal": ALL, "greater": REAL, "greater_equal": REAL, "hypot": FLOATS, "less": REAL,
    "less_equal": REAL, "logaddexp": FLOATS, "logical_and": BOOL, "logical_or": BOOL, "logical_xor": BOOL, "maximum": REAL, "minimum": REAL,
    "multiply": NUMERIC, "nextafter": FLOATS, "not_equal": ALL, "pow": FLOATS, "subtract": NUMERIC,
}  # fmt: skip

OPERATORS = {
    "__add__": NUMERIC, "__and__": BOOL + INTEGERS, "__eq__": ALL, "__ge__": REAL, "__gt__": REAL, "__le__": REAL, "__lt__": REAL,
    "__mul__": NUMERIC, "__ne__": ALL, "__or__": BOOL + INTEGERS, "__pow__": FLOATS, "__sub__": NUMERIC, "__truediv__": FLOATS + COMPLEX,
    "__xor__": BOOL + INTEGERS,
}  # fmt: skip


def unary_functions_agree(data):
    for name, dtypes in UNARY.items():
        x = data.draw(arrays(dtypes))
        if x.dtype.kind == "c":
            # Poles and cuts are the special cases' business.
            x = np.where(np.abs(x) < 1e-3, x + 0.75, x).astype(x.dtype)
            x += np.array(0.125 + 0.0625j, x.dtype)
        same_call(name, x)


@given(st.data())
@quick
def test_unary_functions_agree(data):
    unary_functions_agree(data)


def binary_functions_agree(data):
    for name, dtypes in BINARY.items():
        a, b = data.draw(pairs(dtypes))
        if name == "divide" and b.dtype.kind == "c":
            b = np.where(b == 0, 1, b).astype(b.dtype)
        same_call(name, a, b)


@given(st.data())
@quick
def test_binary_functions_agree(data):
    binary_functions_agree(data)


@given(st.data())
@quick
def test_integer_quotients_shifts_and_powers_agree(data):
    for name in ("floor_divide", "remainder"):
        a, b = data.draw(pairs(INTEGERS, -100, 100))
        same_call(name, a, np.where(b == 0, 1, b).astype(b.dtype))
    for name in ("bitwise_left_shift", "bitwise_right_shift"):
        same_call(name, *data.draw(pairs(INTEGERS, 0, 100)))
    same_call("pow", *data.draw(pairs(INTEGERS, 0, 4)))


@given(st.data())
@quick
def test_float_quotients_agree(data):
    for name in ("floor_divide", "remainder"):
        # Infinite operands are special cases, where NumPy does not follow the standard.
        a, b = (np.where(np.isfinite(x), x, 1.5).astype(x.dtype) for x in data.draw(pairs(FLOATS)))
        dtype = np.result_type(a, b)
        quotients = np.asarray(a, dtype) / np.asarray(b, dtype)
        # Rounding decides on which side of an integer a quotient is.
        assume(not np.any(np.isfinite(quotients) & (np.abs(quotients - np.round(quotients)) < 1e-3) & (quotients != 0)))
        same_call(name, a, b)


SCALARS = {"b": st.booleans(), "i": st.integers(0, 100), "u": st.integers(0, 100), "f": st.floats(-8, 8, width=32),
           "c": st.floats(-8, 8, width=32)}  # fmt: skip


@given(st.data())
@quick
def test_operators_agree(data):
    for name, dtypes in OPERATORS.items():
        a, b = data.draw(pairs(dtypes))
        if name == "__truediv__" and b.dtype.kind == "c":
            b = np.where(b == 0, 1, b).astype(b.dtype)
        agree(getattr(ours(a), name)(ours(b)), getattr(theirs(a), name)(theirs(b)))
        scalar = data.draw(SCALARS[a.dtype.kind])
        if name != "__truediv__" or scalar != 0:
            agree(getattr(ours(a), name)(scalar), getattr(theirs(a), name)(scalar))
        reflected = f"__r{name[2:]}"
        if hasattr(strict.asarray(1), reflected) and not (a.dtype.kind == "c" and np.any(a == 0)):
            agree(getattr(ours(a), reflected)(scalar), getattr(theirs(a), reflected)(scalar))
        in_place = f"__i{name[2:]}"
        if hasattr(strict.asarray(1), in_place) and np.result_type(a, b) == a.dtype and np.broadcast_shapes(a.shape, b.shape) == a.shape:
            mine, reference = ours(a), theirs(a)
            same = mine
            agree(getattr(mine, in_place)(ours(b)), getattr(reference, in_place)(theirs(b)))
            agree(same, reference)


@given(st.data())
@quick
def test_comparisons_and_selections_agree(data):
    a, b = data.draw(pairs(ALL))
    shape = np.broadcast_shapes(a.shape, b.shape)
    same_call("where", data.draw(arrays(BOOL, shape)), a, b)
    x = data.draw(arrays(REAL))
    low, high = (data.draw(arrays([x.dtype.name], data.draw(st.sampled_from([(), x.shape])))) for _ in range(2))
    assume(not np.any(low > high))
    same_call("clip", x, low, high)
    same_call("clip", x, low)
    same_call("clip", x, None, high)
    x = data.draw(arrays(BOOL + INTEGERS))
    for one in (x, data.draw(arrays([x.dtype.name]))):
        mine = xp.isin(ours(x), ours(one))
        np.testing.assert_array_equal(np.asarray(mine), np.isin(x, one))


def axis_of(data, x, several=True):
    if x.ndim == 0:
        return None
    one = st.integers(-x.ndim, x.ndim - 1)
    many = st.lists(st.integers(0, x.ndim - 1), unique=True, max_size=x.ndim).map(tuple)
    return data.draw(st.none() | one | many if several else one)


def reductions_agree(data):
    for name, dtypes in (("sum", NUMERIC), ("prod", NUMERIC)):
        x = data.draw(arrays(dtypes, low=-3, high=3))
        axis, keepdims = axis_of(data, x), data.draw(st.booleans())
        same_call(name, x, axis=axis, keepdims=keepdims)
        if x.dtype.kind in "iu":
            for dtype in ("int64", "uint64", "float64"):
                got = getattr(xp, name)(ours(x), axis=axis, dtype=getattr(xp, dtype))
                np.testing.assert_array_equal(np.asarray(got), getattr(np, name)(x, axis=axis, dtype=dtype))
    for name, dtypes in (("max", REAL), ("min", REAL), ("mean", FLOATS + COMPLEX), ("std", FLOATS), ("var", FLOATS), ("any", ALL), ("all", ALL),
                         ("count_nonzero", ALL)):  # fmt: skip
        shape = hnp.array_shapes(min_dims=0, max_dims=3, min_side=int(name not in ("any", "all", "count_nonzero")), max_side=3)
        x = data.draw(arrays(dtypes, shape))
        same_call(name, x, axis=axis_of(data, x), keepdims=data.draw(st.booleans()))
    x = data.draw(arrays(FLOATS, hnp.array_shapes(min_dims=1, max_dims=2, min_side=3, max_side=4)))
    same_call("var", x, axis=axis_of(data, x), correction=data.draw(st.sampled_from([0, 1, 0.5])))
    for name in ("argmax", "argmin"):
        x = data.draw(arrays(REAL, hnp.array_shapes(max_dims=3, max_side=3)))
        same_call(name, x, axis=data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1)), keepdims=data.draw(st.booleans()))
    for name in ("cumulative_sum", "cumulative_prod"):
        x = data.draw(arrays(NUMERIC, hnp.array_shapes(max_dims=3, min_side=0, max_side=3), -2, 2))
        same_call(name, x, axis=axis_of(data, x, False), include_initial=data.draw(st.booleans()))
    x = data.draw(arrays(NUMERIC, hnp.array_shapes(max_dims=3, min_side=0, max_side=4)))
    axis = axis_of(data, x, False)
    same_call("diff", x, axis=axis, n=data.draw(st.integers(0, 3)))
    same_call("diff", x, axis=axis, prepend=x, append=x)


@given(st.data())
@quick
def test_reductions_agree(data):
    reductions_agree(data)


@given(st.data())
@quick
def test_sorting_and_searching_agree(data):
    x = data.draw(arrays(REAL, hnp.array_shapes(max_dims=3, min_side=0, max_side=4)))
    x = np.nan_to_num(x)
    axis, descending = axis_of(data, x, False), data.draw(st.booleans())
    same_call("sort", x, axis=axis, descending=descending)
    same_call("argsort", x, axis=axis, descending=descending)
    a, b = np.sort(np.nan_to_num(data.draw(arrays(REAL, (5,))))), np.asarray(np.nan_to_num(data.draw(arrays(REAL))))
    if promotes(a.dtype.name, b.dtype.name):
        for side in ("left", "right"):
            same_call("searchsorted", a, b.astype(a.dtype), side=side)
            order = np.array([4, 3, 2, 1, 0])
            same_call("searchsorted", np.ascontiguousarray(a[::-1]), b.astype(a.dtype), side=side, sorter=order)
    x = data.draw(arrays(ALL, hnp.array_shapes(max_dims=3, min_side=0, max_side=3)))
    same_call("nonzero", x)
    x = data.draw(arrays(ALL))
    x = np.asarray(np.nan_to_num(x))
    for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values"):
        same_call(name, x)
    x = data.draw(arrays(ALL, hnp.array_shapes(max_dims=3, max_side=3)))
    axis = axis_of(data, x, False)
    length = x.shape[axis]
    same_call("take", x, data.draw(arrays(["int64"], (data.draw(st.integers(0, 4)),), -length, length - 1)), axis=axis)
    shape = list(x.shape)
    shape[axis] = data.draw(st.integers(0, 3))
    same_call("take_along_axis", x, data.draw(arrays(["int64"], tuple(shape), -length, length - 1)), axis=axis)


def manipulations_agree(data):
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    x = data.draw(arrays(ALL, shapes))
    n = x.ndim
    same_call("broadcast_to", x, (2, *x.shape))
    same_call("flip", x, axis=axis_of(data, x))
    same_call("permute_dims", x, tuple(data.draw(st.permutations(range(n)))))
    same_call("reshape", x, (-1,) if x.size else (0, 2))
    same_call("reshape", x, (x.size, 1), copy=data.draw(st.sampled_from([None, True])))
    same_call("expand_dims", x, data.draw(st.integers(-n - 1, n)))
    same_call("tile", x, data.draw(st.lists(st.integers(0, 2), max_size=4).map(tuple)))
    same_call("repeat", x, data.draw(st.integers(0, 3)), axis=data.draw(st.none() | st.integers(-n, n - 1)) if n else None)
    same_call("roll", x, data.draw(st.integers(-3, 3)), axis=None)
    if n:
        axis = data.draw(st.integers(-n, n - 1))
        same_call("repeat", x, data.draw(arrays(["int64"], (x.shape[axis],), 0, 3)), axis=axis)
        same_call("roll", x, data.draw(st.integers(-3, 3)), axis=axis)
        same_call("moveaxis", x, axis, data.draw(st.integers(-n, n - 1)))
        same_call("unstack", x, axis=axis)
    same_call("squeeze", x, tuple(a for a in range(n) if x.shape[a] == 1))
    a, b = data.draw(st.sampled_from([(a, b) for a in ALL for b in ALL if promotes(a, b)]))
    parts = [x.astype(a), x.astype(b), x.astype(a)] if x.dtype.kind == "b" else [x, x]
    if promotes(parts[0].dtype.name, parts[1].dtype.name):
        for name, axis in (("stack", data.draw(st.integers(-n - 1, n))), ("concat", data.draw(st.integers(-n, n - 1)) if n else None)):
            agree(getattr(xp, name)([*map(ours, parts)], axis=axis), getattr(strict, name)([*map(theirs, parts)], axis=axis))
    same_call("broadcast_arrays", *data.draw(pairs(ALL)))
    same_call("meshgrid", *[data.draw(arrays([x.dtype.name], (k,))) for k in (2, 3, 1)], indexing=data.draw(st.sampled_from(["xy", "ij"])))
    matrices = data.draw(arrays(NUMERIC, hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=3)))
    for name in ("tril", "triu"):
        same_call(name, matrices, k=data.draw(st.integers(-4, 4)))


@given(st.data())
@quick
def test_manipulations_agree(data):
    manipulations_agree(data)


@st.composite
def keys(draw, shape):
    """Integers, slices of any step, None and an ellipsis."""
    key = []
    for length in shape[: draw(st.integers(0, len(shape)))]:
        integers = [st.integers(-length, length - 1)] if length else []
        key.append(draw(st.one_of(hnp.basic_indices((length,), allow_ellipsis=False, allow_newaxis=False).map(
            lambda k: (k if not isinstance(k, tuple) else k[0] if k else slice(None))), *integers)))  # fmt: skip
    if draw(st.booleans()):
        key.append(...)
    if draw(st.booleans()):
        key.insert(draw(st.integers(0, len(key))), None)
    return tuple(key)


@given(st.data())
@settings(quick, max_examples=100)
def test_subscripts_agree(data):
    x = data.draw(arrays(ALL, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)))
    key = data.draw(keys(x.shape))
    want = x[key]
    got = ours(x)[key]
    np.testing.assert_array_equal(np.asarray(got), want)
    assert isinstance(got, xp.Array)
    value = data.draw(arrays([x.dtype.name], data.draw(st.sampled_from([want.shape, want.shape[1:], ()]))))
    if None not in key:
        mine, reference = ours(x), x.copy()
        mine[key] = ours(value)
        reference[key] = value
        np.testing.assert_array_equal(np.asarray(mine), reference)
    mask = data.draw(arrays(BOOL, x.shape[: data.draw(st.integers(1, x.ndim))]))
    np.testing.assert_array_equal(np.asarray(ours(x)[ours(mask)]), x[mask])
    if x.shape[0]:
        indices = data.draw(arrays(["int64", "uint8", "int32"], (3,), 0, x.shape[0] - 1))
        np.testing.assert_array_equal(np.asarray(ours(x)[ours(indices)]), x[indices])
        np.testing.assert_array_equal(np.asarray(ours(x)[ours(indices), ...]), x[indices])


@given(st.data())
@quick
def test_products_of_arrays_agree(data):
    m, k, n = (data.draw(st.integers(0, 3)) for _ in range(3))
    batch = data.draw(st.sampled_from([(), (2,), (1, 2)]))
    for dtypes in (NUMERIC,):
        a, b = data.draw(st.sampled_from([(a, b) for a in dtypes for b in dtypes if promotes(a, b)]))
        left, right = data.draw(arrays([a], (*batch, m, k), -3, 3)), data.draw(arrays([b], (k, n), -3, 3))
        left, right = np.nan_to_num(left, posinf=1, neginf=-1), np.nan_to_num(right, posinf=1, neginf=-1)
        same_call("matmul", left, right)
        same_call("tensordot", left, right, axes=1)
        same_call("tensordot", left, right, axes=((-1,), (0,)))
        same_call("matmul", left, right[:, 0] if n else np.zeros(k, right.dtype))
        same_call("vecdot", left, np.swapaxes(right, 0, 1)[:1] if n else np.zeros((1, k), right.dtype))
        same_call("vecdot", right, right, axis=-2)
        same_call("matrix_transpose", left)
        agree(ours(left) @ ours(right), theirs(left) @ theirs(right))


@given(st.data())
@quick
def test_creation_agrees(data):
    for dtype in ALL:
        mine, reference = getattr(xp, dtype), getattr(strict, dtype)
        shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
        x = data.draw(arrays(ALL))
        fill = data.draw(elements(dtype))
        agree(xp.full(shape, fill, dtype=mine), strict.full(shape, fill, dtype=reference))
        agree(xp.full_like(ours(x), fill, dtype=mine), strict.full_like(theirs(x), fill, dtype=reference))
        for name in ("zeros", "ones"):
            agree(getattr(xp, name)(shape, dtype=mine), getattr(strict, name)(shape, dtype=reference))
            agree(getattr(xp, f"{name}_like")(ours(x), dtype=mine), getattr(strict, f"{name}_like")(theirs(x), dtype=reference))
            agree(getattr(xp, f"{name}_like")(ours(x)), getattr(strict, f"{name}_like")(theirs(x)))
        assert xp.empty(shape, dtype=mine).shape == shape and xp.empty_like(ours(x), dtype=mine).dtype == mine
        n, k = data.draw(st.integers(0, 4)), data.draw(st.integers(-5, 5))
        if dtype != "bool":
            agree(xp.eye(n, k=k, dtype=mine), strict.eye(n, k=k, dtype=reference))
            agree(xp.eye(n, 3, k=k, dtype=mine), strict.eye(n, 3, k=k, dtype=reference))
        if dtype in REAL:
            start, stop = (data.draw(st.integers(0 if dtype in INTEGERS[4:] else -20, 20)) for _ in range(2))
            step = data.draw(st.sampled_from([-3, -1, 1, 2, 5]))
            agree(xp.arange(start, stop, step, dtype=mine), strict.arange(start, stop, step, dtype=reference))
        if dtype in FLOATS + COMPLEX:
            num, endpoint = data.draw(st.integers(0, 5)), data.draw(st.booleans())
            agree(xp.linspace(-1, 3, num, dtype=mine, endpoint=endpoint), strict.linspace(-1, 3, num, dtype=reference, endpoint=endpoint))
        value = data.draw(arrays([dtype]))
        agree(xp.asarray(value.tolist(), dtype=mine), strict.asarray(value.tolist(), dtype=reference))
        agree(xp.asarray(value), strict.asarray(value))


@given(st.data())
@quick
def test_transforms_agree(data):
    x = data.draw(arrays(COMPLEX, hnp.array_shapes(max_dims=3, min_side=2, max_side=4)))
    norm = data.draw(st.sampled_from(["backward", "ortho", "forward"]))
    n, axis = data.draw(st.none() | st.integers(1, 6)), data.draw(st.integers(-x.ndim, x.ndim - 1))
    axes = data.draw(st.none() | st.lists(st.integers(0, x.ndim - 1), unique=True, min_size=1).map(tuple))
    s = None if axes is None or data.draw(st.booleans()) else tuple(data.draw(st.integers(1, 5)) for _ in axes)
    real = np.ascontiguousarray(x.real)
    for name, value in (("fft", x), ("ifft", x), ("rfft", real), ("irfft", x), ("hfft", x), ("ihfft", real)):
        same_call(name, value, module="fft", n=n, axis=axis, norm=norm, rtol=1e-3)
    for name, value in (("fftn", x), ("ifftn", x), ("rfftn", real), ("irfftn", x)):
        same_call(name, value, module="fft", s=s, axes=axes, norm=norm, rtol=1e-3)
    for name in ("fftshift", "ifftshift"):
        same_call(name, x, module="fft", axes=axes)
    for name in ("fftfreq", "rfftfreq"):
        for dtype in FLOATS:
            agree(getattr(xp.fft, name)(5, d=0.3, dtype=getattr(xp, dtype)), getattr(strict.fft, name)(5, d=0.3, dtype=getattr(strict, dtype)))


@given(st.data())
@quick
def test_linear_algebra_agrees(data):
    dtype = data.draw(st.sampled_from(FLOATS + COMPLEX))
    batch = data.draw(st.sampled_from([(), (2,), (0,), (2, 1)]))
    n = data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))

    def random(*shape):
        x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
        return (x if dtype in COMPLEX else x.real).astype(dtype)

    square = random(*batch, n, n)
    square = (square + 3 * np.eye(n)).astype(dtype)
    hermitian = np.ascontiguousarray(square @ np.swapaxes(square.conj(), -1, -2))
    tall = random(*batch, n + 1, n)
    for name in ("det", "inv", "slogdet"):
        same_call(name, square, module="linalg", rtol=1e-2)
    for name in ("eigvalsh", "svdvals"):
        same_call(name, hermitian, module="linalg", rtol=1e-2)
    for upper in (False, True):
        same_call("cholesky", hermitian, module="linalg", upper=upper, rtol=1e-2)
    same_call("matrix_power", square, data.draw(st.integers(-2, 3)), module="linalg", rtol=1e-2)
    same_call("solve", square, random(*batch, n, 2), module="linalg", rtol=1e-2)
    same_call("solve", square, random(n), module="linalg", rtol=1e-2)
    same_call("pinv", tall, module="linalg", rtol=1e-2)
    for x in (square, tall):
        same_call("matrix_rank", x, module="linalg")
        same_call("diagonal", x, module="linalg", offset=data.draw(st.integers(-4, 4)))
        same_call("trace", x, module="linalg", offset=data.draw(st.integers(-4, 4)))
        for order in ("fro", "nuc", 1, 2, -1, -2, float("inf"), -float("inf")):
            same_call("matrix_norm", x, module="linalg", ord=order, keepdims=data.draw(st.booleans()), rtol=1e-3)
    for order in (0, 1, 2, 3.5, -1, float("inf"), -float("inf")):
        axis = data.draw(st.none() | st.integers(0, 1) | st.just((0, 1)))
        same_call("vector_norm", random(2, 3), module="linalg", ord=order, axis=axis, keepdims=data.draw(st.booleans()), rtol=1e-3)
    same_call("outer", random(n), random(2), module="linalg")
    same_call("cross", random(*batch, 3), random(*batch, 3), module="linalg")
    same_call("cross", random(3, 2), random(3, 2), module="linalg", axis=-2)
    for mode in ("reduced", "complete"):
        q, r = xp.linalg.qr(ours(tall), mode=mode)
        np.testing.assert_allclose(np.asarray(q @ r), tall, atol=1e-4)
        assert [x.shape for x in (q, r)] == [x.shape for x in strict.linalg.qr(theirs(tall), mode=mode)]
    for full in (False, True):
        u, s, vh = xp.linalg.svd(ours(tall), full_matrices=full)
        assert [x.shape for x in (u, s, vh)] == [x.shape for x in strict.linalg.svd(theirs(tall), full_matrices=full)]
        np.testing.assert_allclose(np.asarray((u[..., :n] * xp.expand_dims(xp.astype(s, u.dtype), -2)) @ vh[..., :n, :]), tall, atol=1e-4)
    values, vectors = xp.linalg.eigh(ours(hermitian))
    np.testing.assert_allclose(np.asarray(ours(hermitian) @ vectors), np.asarray(vectors * xp.expand_dims(values, -2)), atol=1e-2)
    values, vectors = xp.linalg.eig(ours(square))
    assert values.dtype == vectors.dtype == (xp.complex64 if dtype in ("float32", "complex64") else xp.complex128)
    np.testing.assert_allclose(
        np.asarray(xp.astype(ours(square), values.dtype) @ vectors), np.asarray(vectors * xp.expand_dims(values, -2)), atol=1e-2
    )
    assert xp.linalg.eigvals(ours(square)).shape == (*batch, n)


@pytest.mark.slow
@pytest.mark.parametrize("check", [unary_functions_agree, binary_functions_agree, reductions_agree, manipulations_agree])
def test_many_more_samples_agree(check):
    wide(given(st.data())(check))()
