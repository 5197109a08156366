"""NumPy's functions on tensors: results, dtypes, devices, gradients, modes, outputs; and tensors as arrays and buffers."""

import gc
import subprocess
import sys
import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

import runtime
from runtime import TorchDispatchMode, _core
from runtime._core import _set_strict_arrays
from runtime.numpy_protocols import ufuncs

UFUNCS = {name: u for name, u in vars(np).items() if isinstance(u, np.ufunc) and u.__name__ == name}
quick = settings(max_examples=25, deadline=None)


def as_tensors(value):
    """The same arguments with tensors in the place of arrays."""
    if isinstance(value, np.ndarray):
        return runtime.tensor(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(as_tensors, value))
    return value


def assert_same(got, want, rtol=1e-5):
    """A tensor and an array of the same shape and values; containers of them item by item; other results equal."""
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        for g, w in zip(got, want):
            assert_same(g, w, rtol)
    elif isinstance(want, (np.ndarray, np.generic)):
        assert isinstance(got, runtime.Tensor), f"{type(got)} instead of a tensor"
        assert tuple(got.shape) == want.shape
        np.testing.assert_allclose(got.detach().to(runtime.complex128).resolve_conj().numpy(), want.astype(complex), rtol, 1e-6)
    else:
        assert got == want


class Seen(TorchDispatchMode):
    """Records the operators of a block."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


# --------------------------------------------------------------------------------------------------------------------------- ufuncs


@pytest.mark.parametrize("name", sorted(ufuncs.OPERATORS))
def test_every_ufunc_of_the_table_is_found_in_numpy_and_among_the_operators(name):
    if hasattr(np, name):
        assert ufuncs.function_of(getattr(np, name)) is not None


# What a ufunc is called with where the usual operands are not in its domain.
BETWEEN_MINUS_1_AND_1 = {"arccos", "arcsin", "arctanh"}
FROM_1 = {"arccosh"}
POSITIVE = {"log", "log2", "log10", "sqrt", "power", "float_power", "log1p"}
INTEGERS = {"bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_count", "gcd", "lcm", "invert", "left_shift", "right_shift"}
MATRICES = {"matmul", "matvec", "vecmat", "vecdot"}


def operands(ufunc, rng):
    """Arrays that a ufunc is defined for."""
    name = ufunc.__name__
    if name in INTEGERS:
        return [rng.integers(1, 9, (3, 4)), rng.integers(1, 9, 4)][: ufunc.nin]
    x, y = rng.standard_normal((3, 4)), rng.standard_normal(4) + 0.1
    if name in BETWEEN_MINUS_1_AND_1:
        x = np.tanh(x)
    elif name in FROM_1:
        x = 1 + np.abs(x)
    elif name in POSITIVE:
        x = 0.1 + np.abs(x)
    elif name == "ldexp":
        y = rng.integers(-3, 3, 4)
    return {"matmul": [x, x.T], "matvec": [x, y], "vecmat": [y, x.T], "vecdot": [x, y]}.get(name, [x, y][: ufunc.nin])


@pytest.mark.parametrize("name", sorted(set(UFUNCS) - {"isnat"}))
def test_every_ufunc_takes_tensors_and_returns_them(name):
    given = operands(UFUNCS[name], np.random.default_rng(0))
    got = UFUNCS[name](*as_tensors(given))
    assert_same(got, UFUNCS[name](*given))
    assert_same(UFUNCS[name](*as_tensors(given)), UFUNCS[name](*given))  # the second call comes from the core's table


def test_a_ufunc_that_knows_no_numbers_refuses_tensors_as_it_refuses_arrays():
    with pytest.raises(TypeError, match="isnat"):
        np.isnat(runtime.ones(1))


UNARY = ["sin", "exp", "absolute", "negative", "floor", "sign", "square", "isfinite", "tanh", "rint", "fabs", "modf", "conjugate", "positive"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "fmax", "hypot", "arctan2", "less", "not_equal", "copysign", "logaddexp", "divide"]
FLOATS = st.floats(-50, 50, width=32)


@given(st.data(), st.sampled_from(UNARY + BINARY))
@quick
def test_ufuncs_agree_with_numpy_over_shapes_and_dtypes(data, name):
    ufunc = UFUNCS[name]
    shapes = data.draw(arrays.mutually_broadcastable_shapes(num_shapes=ufunc.nin, max_dims=3, max_side=3)).input_shapes
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    given = [data.draw(arrays.arrays(dtype, shape, elements=FLOATS)) for shape in shapes]
    with np.errstate(all="ignore"):
        want = ufunc(*given)
    assert_same(ufunc(*as_tensors(given)), want, 1e-4)
    kinds = want if isinstance(want, tuple) else (want,)
    got = ufunc(*as_tensors(given))
    assert [str(g.dtype)[6:] for g in (got if isinstance(got, tuple) else (got,))] == [k.dtype.name for k in kinds]


REDUCIBLE = ["add", "multiply", "maximum", "minimum", "logical_and", "logical_or", "logaddexp"]


@given(st.data(), st.sampled_from(REDUCIBLE), st.booleans())
@quick
def test_reductions_agree_with_numpy_over_axes(data, name, keepdims):
    x = data.draw(arrays.arrays(np.float64, arrays.array_shapes(min_dims=1, max_dims=3, max_side=3), elements=FLOATS))
    axis = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1) | st.lists(st.integers(0, x.ndim - 1), min_size=1, unique=True).map(tuple))
    options = data.draw(st.sampled_from([{}, {"initial": 1.5}, {"initial": 0.5, "where": x > 0}, {"dtype": np.float32}]))
    if name.startswith("logical"):
        options = {}
    if options.get("where") is not None and name == "logaddexp":
        options = {"initial": 0.5}
    want = UFUNCS[name].reduce(x, axis=axis, keepdims=keepdims, **options)
    options = {k: as_tensors(v) for k, v in options.items()}
    assert_same(UFUNCS[name].reduce(as_tensors(x), axis=axis, keepdims=keepdims, **options), np.asarray(want), 1e-4)


@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "minimum", "logaddexp", "subtract"])
def test_methods_of_ufuncs_agree_with_numpy(name):
    x = np.random.default_rng(1).standard_normal((3, 4))
    u, t = UFUNCS[name], runtime.tensor(x)
    assert_same(u.accumulate(t, axis=1), u.accumulate(x, axis=1))
    assert_same(u.accumulate(t), u.accumulate(x))
    assert_same(u.outer(t, t[0]), u.outer(x, x[0]))
    assert_same(u.reduceat(t, [0, 2], axis=1), u.reduceat(x, [0, 2], axis=1))


def test_an_extreme_of_nothing_is_refused_unless_it_has_an_initial_value():
    t = runtime.ones(0, 3)
    with pytest.raises(ValueError, match="maximum.reduce.*initial="):
        np.max(t, axis=0)
    assert np.max(t, axis=0, initial=2).tolist() == [2.0] * 3
    assert np.max(t, axis=1).shape == (0,)
    with pytest.raises(ValueError, match="needs initial="):
        np.max(runtime.ones(2), where=np.array([True, False]))


@pytest.mark.parametrize(
    "index, values",
    [([0, 0, 2], 1.0), (([0, 0], [1, 1]), 2.0), (np.array([1, 1]), [[1.0, 2.0, 3.0]] * 2), (slice(0, 2), 1.0), (-1, 5.0)],
    ids=str,
)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "maximum"])
def test_at_counts_indices_that_come_twice(name, index, values):
    x = np.arange(9.0).reshape(3, 3)
    t = runtime.tensor(x)
    UFUNCS[name].at(x, index, values)
    version = t._version
    assert UFUNCS[name].at(t, as_tensors(index), values) is None
    assert_same(t, x)
    assert t._version > version


def test_at_of_a_ufunc_of_one_operand():
    t = runtime.ones(3)
    np.negative.at(t, [0, 2])
    assert t.tolist() == [-1.0, 1.0, -1.0]


# ------------------------------------------------------------------------------------------------------------------------- dtypes


def test_dtypes_of_results_are_the_operators():
    whole, half, single = runtime.tensor([1, 2]), runtime.ones(2, dtype=runtime.float16), runtime.ones(2)
    assert np.sin(whole).dtype is runtime.float32 and np.mean(whole).dtype is runtime.float32
    assert np.add(whole, half).dtype is runtime.float16
    assert np.add(single, np.ones(2)).dtype is runtime.float64
    assert np.multiply(single, np.float64(2)).dtype is runtime.float32 and np.multiply(2.0, single).dtype is runtime.float32
    assert np.add(whole, 1.5).dtype is runtime.float32
    assert np.reciprocal(whole).tolist() == [1.0, 0.5]
    assert np.matmul(whole, np.ones(2)).dtype is runtime.float64  # where operators want one dtype, the common one
    assert np.add.reduce(runtime.ones(2, dtype=runtime.uint8)).dtype is runtime.int64
    assert np.stack([whole, half, single]).dtype is runtime.float32
    assert np.einsum("i,i,->", whole, half, runtime.tensor(1.0, dtype=runtime.float64)).dtype is runtime.float16
    assert np.einsum("i,i,->", whole, whole, runtime.tensor(1.0)).dtype is runtime.float32


def test_where_no_kernel_is_made_for_a_dtype_numpy_computes():
    flags = runtime.tensor([True, False])
    assert np.floor(flags).tolist() == [True, False]
    assert np.greater(runtime.tensor([1 + 1j]), runtime.tensor([1 + 0j])).tolist() == [True]
    assert np.hypot(runtime.tensor([3]), runtime.tensor([4])).tolist() == [5.0]


def test_ml_dtypes_results_are_tensors_too():
    t = runtime.tensor([1.5, 8.0], dtype=runtime.bfloat16)
    assert np.cbrt(t).dtype is runtime.bfloat16 and np.cbrt(t)[1] == 2
    assert np.sin(t).dtype is runtime.bfloat16


def test_results_that_no_tensor_can_hold_stay_arrays():
    double = np.frompyfunc(lambda x: [x], 1, 1)
    found = double(runtime.tensor([1.0]))
    assert type(found) is np.ndarray and found.tolist() == [[1.0]]
    assert np.array_str(runtime.tensor([1.0])) == "[1.]"


def test_the_dtype_of_a_call_is_that_of_its_operands_cast():
    t = runtime.tensor([1, 2])
    assert np.sin(t, dtype=np.float64).dtype is runtime.float64
    assert np.add(t, 1, dtype=runtime.float64).dtype is runtime.float64
    with pytest.raises(TypeError, match="add: cannot cast an operand from torch.float32 to torch.int64"):
        np.add(runtime.ones(2), 1, dtype=np.int64)
    assert np.add(runtime.tensor([1.9]), 1, dtype=np.int64, casting="unsafe").tolist() == [2]


# -------------------------------------------------------------------------------------------------------- operators, devices, grads


def test_a_mode_sees_the_operators():
    t, seen = runtime.ones(2, 2), Seen()
    with seen:
        np.sin(t), np.add(t, t), np.add(t, 2), np.power(t, 2), np.add.reduce(t, axis=0), np.concatenate([t, t])
    assert seen.names == [
        "aten.sin.default", "aten.add.Tensor", "aten.add.Tensor", "aten.pow.Tensor_Scalar", "aten.sum.dim_IntList", "aten.cat.default",
    ]  # fmt: skip


def test_gradients_flow_through_numpys_functions():
    x = runtime.tensor([1.0, 2.0], requires_grad=True)
    y = np.sum(np.exp(x) * np.concatenate([x[:1], x[1:]])) + np.linalg.norm(np.stack([x, x]))
    y.backward()
    with runtime.no_grad():
        expected = np.exp(x) * (x + 1) + 2 * x / np.linalg.norm(np.stack([x, x]))
    np.testing.assert_allclose(x.grad.numpy(), expected.numpy(), 1e-6)


def test_without_an_operator_gradients_are_refused_and_so_are_other_devices():
    x = runtime.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="cbrt has no operator.*detach"):
        np.cbrt(x)
    with runtime.no_grad():
        assert np.cbrt(x).tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="cbrt has no operator.*on meta"):
        np.cbrt(x.to("meta"))
    with pytest.raises(TypeError, match="numpy.partition has no operator.*on meta"):
        np.partition(x.to("meta"), 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.sin(t), lambda t: np.add(t, t), lambda t: np.add(t, 1), lambda t: np.subtract(1, t), lambda t: np.matmul(t, t.T),
        lambda t: np.add.reduce(t), lambda t: np.concatenate([t, t]), lambda t: np.where(t > 0, t, 0), lambda t: np.mean(t, axis=1),
        lambda t: np.std(t), lambda t: np.transpose(t), lambda t: np.linalg.norm(t, axis=0), lambda t: np.zeros_like(t),
        lambda t: np.sort(t), lambda t: np.expand_dims(t, 0), lambda t: np.split(t, 3, axis=1)[0], lambda t: np.tile(t, 2),
        lambda t: np.modf(t)[0], lambda t: np.fft.fft(t), lambda t: np.einsum("ij->ji", t), lambda t: np.multiply.outer(t, t),
    ],
)  # fmt: skip
def test_meta_tensors_have_the_shapes_and_dtypes_of_results(call):
    want, got = call(runtime.ones(2, 3)), call(runtime.ones(2, 3, device="meta"))
    assert got.is_meta and got.shape == want.shape and got.dtype is want.dtype


class Logged(runtime.Tensor):
    calls = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append(func)
        return super().__torch_function__(func, types, args, kwargs)


def test_a_subclass_is_asked_by_the_public_functions_and_comes_back():
    t = runtime.ones(2).as_subclass(Logged)
    Logged.calls.clear()
    assert type(np.sin(t)) is Logged and Logged.calls == [runtime.sin]
    Logged.calls.clear()
    assert type(np.add(t, 1)) is Logged and Logged.calls == [runtime.add]


def test_wrapper_subclasses_see_the_operators():
    from runtime.testing.logging_tensor import LoggingTensor, capture_logs

    with capture_logs() as logs:
        found = np.exp(LoggingTensor(runtime.ones(2)))
    assert type(found) is LoggingTensor and any("exp" in line for line in logs)
    with pytest.raises(TypeError, match="of class LoggingTensor"):
        np.cbrt(LoggingTensor(runtime.ones(2)))


def test_another_class_with_a_protocol_of_its_own_goes_first():
    class Other:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return "other"

        def __array_function__(self, func, types, args, kwargs):
            return "other"

    class Never:
        __array_ufunc__ = None

    t = runtime.ones(2)
    assert np.add(t, Other()) == "other" and np.concatenate([t, Other()]) == "other"
    with pytest.raises(TypeError):
        np.add(t, Never())


def test_the_protocols_refuse_nonsense():
    t = runtime.ones(2)
    for arguments in [(), (np.sin,), (3, "__call__", t), (np.sin, "nothing", t), (np.sin, 3, t), ([], "__call__", t)]:
        with pytest.raises(TypeError):
            t.__array_ufunc__(*arguments)
    with pytest.raises(TypeError):
        np.sin(t, t, t)
    with pytest.raises(TypeError):
        _core._map_ufunc(np.sin, 3)
    with pytest.raises(TypeError, match="takes a ufunc"):
        _core._map_ufunc(3, runtime.ops.aten.sin.default)
    for op in (runtime.ops.aten.cat.default, runtime.ops.aten.add.Tensor, runtime.ops.aten.sin_.default, runtime.ops.aten.where.self):
        with pytest.raises(ValueError, match="no operator of one or two tensors"):
            _core._map_ufunc(np.sin, op)
    with pytest.raises(ValueError, match="no operator of a tensor and a number"):
        _core._map_ufunc(np.power, runtime.ops.aten.pow.Tensor_Tensor, runtime.ops.aten.pow.Scalar)


# ------------------------------------------------------------------------------------------------------------- mixed with arrays


@pytest.mark.parametrize("strict", [False, True])
def test_arrays_and_tensors_mix_in_either_order(strict):
    t, a = runtime.tensor([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])
    _set_strict_arrays(strict)
    try:
        for mixed in (a + t, t + a, np.add(a, t), a * t + 1, np.float64(2) * t, t * np.float64(2), a / t, a < t, a == t, a**t):
            assert type(mixed) is runtime.Tensor
        assert (a - t).tolist() == [2.0, 0.0, -2.0] and (t - a).tolist() == [-2.0, 0.0, 2.0]
        assert (a @ t).item() == (t @ a).item() == 10.0
        assert (np.array([1, 2, 3]) @ t).item() == (t @ np.array([1, 2, 3])).item() == 14.0
    finally:
        _set_strict_arrays(False)


def test_an_array_that_is_updated_by_a_tensor_stays_the_array():
    a, t = np.ones(3), runtime.tensor([1.0, 2.0, 3.0])
    same = a
    a += t
    a *= t
    assert a is same and a.tolist() == [2.0, 6.0, 12.0]
    t += np.ones(3, np.float32)
    assert t.tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize("array", [np.arange(4.0)[::-1], np.arange(4).astype(">f8"), np.frombuffer(b"\0" * 33, "u1")[1:].view("f8")])
def test_arrays_that_no_tensor_can_lie_on_are_copied_as_operands(array):
    assert np.add(runtime.zeros(4), array).tolist() == array.tolist()


@pytest.mark.parametrize("make", [lambda a, t: runtime.cat([a, t]), lambda a, t: runtime.stack((t, a)), lambda a, t: runtime.ops.aten.cat([a, a])])
def test_arrays_stand_in_lists_of_tensors(make):
    assert make(np.ones(2, np.float32), runtime.zeros(2)).numel() == 4


def test_arrays_are_indices():
    t, rows = runtime.arange(12.0).view(3, 4), np.array([2, 0])
    assert t[rows].tolist() == t[[2, 0]].tolist()
    assert runtime.ops.aten.index(t, [rows]).tolist() == t[[2, 0]].tolist()
    assert runtime.ops.aten.index(t, [None, rows]).tolist() == t[:, [2, 0]].tolist()
    assert t[rows, np.array([1, 1])].tolist() == [9.0, 1.0]
    assert t[np.array([True, False, True])].shape == (2, 4)


# ------------------------------------------------------------------------------------------------------------------------- outputs


def test_out_is_written_and_returned():
    t = runtime.tensor([1.0, 4.0])
    for out in (runtime.empty(2), np.empty(2, np.float32), np.empty(2), runtime.empty(2, dtype=runtime.float64)):
        assert np.sqrt(t, out=out) is out and out.tolist() == [1.0, 2.0]
        assert np.add(t, t, out=(out,)) is out and out.tolist() == [2.0, 8.0]
    a, b = np.empty(2), np.empty(2)
    assert np.modf(t, out=(a, None))[0] is a
    assert np.divmod(t, 3, out=(a, b))[1] is b
    assert a.tolist() == [0.0, 1.0] and b.tolist() == [1.0, 1.0]
    total = np.empty(())
    assert np.add.reduce(t, out=total) is total and total == 5
    assert np.cbrt(t, out=a) is a and np.sum(t, out=total) is total
    tensor = runtime.empty(2)
    version = tensor._version
    assert np.cbrt(t, out=tensor) is tensor and tensor._version > version


def test_out_keeps_its_shape_and_kind():
    t = runtime.ones(3)
    with pytest.raises(ValueError, match=r"sin: out= has shape \(2,\)"):
        np.sin(t, out=runtime.empty(2))
    assert np.sin(t, out=runtime.empty(2, 3)).shape == (2, 3)  # as NumPy: a result broadcasts into a larger output
    with pytest.raises((TypeError, RuntimeError), match="cast"):
        np.sin(t, out=runtime.empty(3, dtype=runtime.int64))
    assert np.add(t, 1.9, out=runtime.empty(3, dtype=runtime.int64), casting="unsafe").tolist() == [2, 2, 2]
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        np.sin(t, out=frozen)
    with pytest.raises(TypeError):
        np.sin(t, out=[0, 0, 0])


@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3), st.booleans())
@quick
def test_outputs_may_lie_over_operands(first, second, step, as_array):
    x = np.arange(10.0)
    y = x.copy()
    np.add(y[first : first + 4], y[second : second + 4].copy(), out=y[step : step + 4])
    shared = x if as_array else runtime.from_numpy(x)
    t = runtime.from_numpy(x)
    np.add(t[first : first + 4], t[second : second + 4].clone(), out=shared[step : step + 4])
    assert x.tolist() == y.tolist()


def test_where_picks_what_is_computed():
    t, mask = runtime.tensor([1.0, 2.0, 3.0]), np.array([True, False, True])
    assert np.add(t, 1, out=runtime.zeros(3), where=mask).tolist() == [2.0, 0.0, 4.0]
    assert np.add(t, 1, where=runtime.tensor(mask))[0] == 2
    assert np.cbrt(t, out=runtime.zeros(3), where=mask)[1] == 0


# --------------------------------------------------------------------------------------------------------------- other functions

F, V = np.random.default_rng(2).standard_normal((3, 4)), np.random.default_rng(3).standard_normal(4)
T, S = np.random.default_rng(4).standard_normal((2, 3, 4)), np.random.default_rng(5).standard_normal((5, 3, 3))
WHOLE, MASK = np.random.default_rng(6).integers(1, 9, (3, 4)), F > 0
HOLES = np.where(MASK, F, np.nan)
SQUARE = S[0] @ S[0].T + np.eye(3)

# Calls of NumPy's functions; each is made with arrays, and with tensors in their place.
CALLS = [call for line in """
concatenate([F,F]); concatenate([F,WHOLE],axis=1); concatenate([F,V[None]],axis=None); concatenate([F,F],dtype="f4"); stack([F,F])
stack([F,WHOLE],-1); vstack([F,V]); hstack([V,V]); hstack([F,F]); dstack([F,F]); dstack([V,V]); column_stack([V,V]); append(F,V)
append(F,V[None],axis=0); block([[F,F],[F,F]]); where(MASK,F,0); where(MASK,F,WHOLE); where(MASK); select([MASK,~MASK],[F,-F],3); nonzero(F)
argwhere(F>0); flatnonzero(F>0); reshape(F,(2,6)); reshape(F,-1); reshape(F,(6,2),order="F"); ravel(F); ravel(F,order="F"); ravel(F.T,order="K")
transpose(T); transpose(T,(1,0,2)); moveaxis(T,0,-1); moveaxis(T,[0,1],[-1,-2]); rollaxis(T,2); rollaxis(T,0,3); swapaxes(T,0,2); squeeze(F[None])
squeeze(F[None],axis=0); expand_dims(F,(0,3)); expand_dims(F,1); broadcast_to(V,(3,4)); broadcast_arrays(F,V); atleast_2d(V); atleast_3d(V)
atleast_3d(F); atleast_1d(V,F); flip(F); flip(T,(0,2)); fliplr(F); flipud(F); rot90(F); rot90(T,1,(1,2)); roll(F,1); roll(F,1,axis=1)
roll(F,(1,2),axis=(0,1)); tile(F,2); tile(V,(2,2)); repeat(F,2); repeat(F,[1,2,0],axis=0); repeat(F,2,axis=1); pad(F,1)
pad(F,((1,0),(2,1)),constant_values=3.); pad(F,1,mode="edge"); meshgrid(V,V[:2]); meshgrid(V,WHOLE[0],indexing="ij"); meshgrid(V,V,sparse=True)
array_split(F,3,axis=1); split(F,2,axis=1); split(F,[1,3],axis=1); hsplit(F,2); vsplit(F,3); dsplit(T,2); hsplit(V,2); take(F,[0,2])
take(F,[0,-1],axis=1); take(F,1,axis=0); take(F,[[0,1],[2,0]],axis=0); take(F,[0,50],mode="clip"); take(F,[0,50],mode="wrap")
take_along_axis(F,np.argsort(F,axis=1),axis=1); take_along_axis(F,WHOLE[:,:1]*0-1,axis=1); compress([True,False,True],F,axis=0)
compress([1,0,1],F); extract(MASK,F); diag(V); diag(F,1); diagflat(F); diagonal(F); diagonal(T,0,1,2); tril(F); triu(F,1); tril(V); trace(F)
trace(T); choose(WHOLE%2,[F,-F]); zeros_like(F); ones_like(F,dtype=int); full_like(WHOLE,2.7); zeros_like(F,shape=3); copy(F); shape(F); ndim(F)
size(F); size(F,0); clip(F,-.5,.5); clip(F,None,.5); clip(F,V,1.); clip(WHOLE,2,5); clip(WHOLE,1.5,5); round(F,2); round(WHOLE); around(F); fix(F)
nan_to_num(HOLES); nan_to_num(HOLES,nan=3.); sinc(F); i0(F); angle(F); real(F); imag(F); iscomplexobj(F); isrealobj(F); isreal(F); isposinf(F)
isneginf(F); diff(F); diff(F,2); diff(F,axis=0); diff(V,prepend=0); diff(F,axis=0,append=V[None]); diff(MASK); gradient(V); gradient(F)
gradient(F,2.); gradient(F,axis=1); gradient(F,edge_order=2); ediff1d(V); interp(F,np.sort(V),V); interp(.3,np.sort(V),V)
interp(F,np.sort(V),V,left=-5,right=7); searchsorted(np.sort(V),F); searchsorted(np.sort(V),.1); searchsorted(np.sort(V),F,side="right")
digitize(F,np.sort(V)); bincount(WHOLE[0]); bincount(WHOLE[0],weights=V); bincount(WHOLE[0],minlength=12); histogram(F); histogram(F,5,(-1,1))
unique(WHOLE); unique(WHOLE,return_counts=True); unique(WHOLE,return_inverse=True); unique(WHOLE,return_index=True); unique(HOLES)
unique(F,axis=0); isin(WHOLE,[2,3]); isin(WHOLE,[2,3],invert=True); union1d(WHOLE,[1]); isclose(F,F+1e-9); isclose(F,WHOLE); isclose(F,.5,atol=.5)
allclose(F,F); allclose(F,V); array_equal(F,F); array_equal(F,V); array_equal(HOLES,HOLES,equal_nan=True); array_equiv(F,F); dot(F,V); dot(V,V)
dot(F,F.T); dot(T,V); dot(T,F.T); dot(2.,F); vdot(F,F); inner(F,V); outer(V,V); outer(F,V); kron(F,V); tensordot(T,F,axes=([1,2],[0,1]))
tensordot(F,F.T,1); einsum("ij,j",F,V); einsum("ij,kj->ik",F,WHOLE); cross(F[:,:3],F[:,1:]); cross(F[0,:3],F[:,1:]); cov(F); cov(F,rowvar=False)
cov(V); cov(F,-F); cov(F,bias=True); corrcoef(F); corrcoef(V,V*V); average(F); average(F,axis=0,weights=WHOLE); average(F,axis=1,weights=WHOLE[0])
average(F,axis=1,weights=WHOLE[0],returned=True); linalg.det(S); linalg.slogdet(S); linalg.inv(S); linalg.pinv(F); linalg.solve(SQUARE,V[:3])
linalg.solve(S,V[:3]); linalg.solve(S,SQUARE); linalg.solve(S,S); linalg.svdvals(F); linalg.svd(F,compute_uv=False); linalg.qr(F,mode="r")**2
linalg.cholesky(SQUARE); linalg.cholesky(SQUARE,upper=True); linalg.eigvalsh(SQUARE); linalg.eigh(SQUARE)[0]; linalg.matrix_rank(F)
linalg.cond(SQUARE); linalg.norm(F); linalg.norm(V); linalg.norm(F,axis=1); linalg.norm(F,ord=1); linalg.norm(F,"nuc"); linalg.norm(V,3)
linalg.norm(V,np.inf); linalg.norm(T); linalg.norm(T,2,axis=(1,2)); linalg.norm(T,axis=(1,2)); linalg.norm(F,1,axis=0,keepdims=True)
linalg.matrix_power(SQUARE,3); linalg.multi_dot([F,F.T,F]); linalg.vecdot(F,F); linalg.vector_norm(F,axis=0,ord=1); linalg.matrix_norm(T)
linalg.outer(V,V); linalg.trace(T); linalg.diagonal(T); linalg.cross(F[:,:3],-F[:,1:]); linalg.matmul(F,F.T); linalg.lstsq(F.T,V)[0]
linalg.det(WHOLE[:3,:3]); fft.fft(F); fft.fft(F,n=3,axis=0); fft.ifft(F); fft.rfft(F); fft.irfft(F); fft.irfft(F,n=5); fft.hfft(F); fft.ihfft(F)
fft.fft2(T); fft.fftn(T); fft.fftn(T,axes=(0,2)); fft.fftn(T,s=(2,2),axes=(0,1)); fft.rfft2(T); fft.irfftn(T); fft.fftshift(F)
fft.fftshift(F,axes=1); fft.ifftshift(F); fft.fft(F,norm="ortho"); polyval(V,F); convolve(V,V); insert(V,1,5.); delete(V,1); unwrap(V)
apply_along_axis(np.sum,0,F); shares_memory(V,V); result_type(F)
""".strip().splitlines() for call in line.split("; ")]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_functions_agree_with_numpy(call):
    names = ("F", "V", "T", "S", "WHOLE", "MASK", "HOLES", "SQUARE")
    given = {name: globals()[name] for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = eval(f"np.{call}", {"np": np} | given)
        runtime.set_default_dtype(runtime.float64)
        try:
            got = eval(f"np.{call}", {"np": np} | {name: runtime.tensor(a) for name, a in given.items()})
        finally:
            runtime.set_default_dtype(runtime.float32)
    assert_same(got, want)


REDUCTIONS = """sum prod mean std var max min ptp argmax argmin any all median nansum nanprod nanmean nanstd nanvar nanmax nanmin nanmedian
count_nonzero cumsum cumprod nancumsum""".split()


@given(st.data(), st.sampled_from(REDUCTIONS))
@settings(max_examples=80, deadline=None)
def test_statistics_agree_with_numpy_over_axes(data, name):
    holes = st.just(np.nan) if name.startswith("nan") else st.nothing()
    x = data.draw(arrays.arrays(np.float64, arrays.array_shapes(min_dims=1, max_dims=3, max_side=4), elements=st.floats(-9, 9, width=16) | holes))
    axis = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1))
    options = {"axis": axis} | ({} if "cum" in name else {"keepdims": data.draw(st.booleans())})
    function = getattr(np, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            want = function(x, **options)
        except ValueError:
            return
    assert_same(function(runtime.tensor(x), **options), np.asarray(want), 1e-4)


@given(
    arrays.arrays(np.float64, arrays.array_shapes(min_dims=1, max_dims=3, max_side=4), elements=st.floats(-9, 9, width=16)),
    st.sampled_from(["linear", "lower", "higher", "midpoint", "nearest", "hazen"]),
    st.floats(0, 1) | st.lists(st.sampled_from([0.0, 0.25, 0.3, 1.0]), min_size=1, max_size=3),
    st.booleans(),
)
@quick
def test_quantiles_agree_with_numpy(x, method, q, keepdims):
    for axis in (None, 0, tuple(range(x.ndim))):
        want = np.quantile(x, q, axis=axis, method=method, keepdims=keepdims)
        assert_same(np.quantile(runtime.tensor(x), q, axis=axis, method=method, keepdims=keepdims), want)


def test_functions_that_write_write_to_the_tensor():
    x = runtime.zeros(2, 3)
    np.copyto(x, [1.0, 2.0, 3.0])
    np.copyto(x, 9, where=x == 2)
    assert x.tolist() == [[1.0, 9.0, 3.0]] * 2
    version = x._version
    np.put(x, [0], 5)
    np.fill_diagonal(x, 7)
    np.put_along_axis(x, np.array([[2], [0]]), -1.0, axis=1)
    assert x.tolist() == [[7.0, 9.0, -1.0], [-1.0, 7.0, 3.0]] and x._version > version
    with pytest.raises(TypeError, match="cannot cast"):
        np.copyto(runtime.zeros(2, dtype=runtime.int64), 1.5)
    array = np.zeros(3)
    np.copyto(array, runtime.ones(3))
    assert array.tolist() == [1.0] * 3


def test_scalars_are_arrays_without_dimensions():
    t = runtime.tensor(2.5)
    assert np.median(t, keepdims=True).shape == () == np.multiply.outer(t, t).shape
    assert np.array(3, like=t).shape == () and np.cumsum(t).tolist() == [2.5] and np.sum(t, axis=-1).item() == 2.5
    assert np.concatenate([np.atleast_1d(t), [1.0]]).tolist() == [2.5, 1.0]
    with pytest.raises(ValueError, match="zero-dimensional"):
        np.concatenate([t, t])


def test_like_makes_tensors():
    t = runtime.ones(1)
    made = [np.zeros(2, like=t), np.ones((2, 1), like=t), np.full(2, 3.0, like=t), np.arange(3, like=t), np.eye(2, like=t), np.array([1, 2], like=t)]
    assert all(type(m) is runtime.Tensor for m in made) and made[1].shape == (2, 1) and made[3].tolist() == [0, 1, 2]
    assert np.zeros(2, dtype=np.int16, like=t).dtype is runtime.int16
    assert np.asarray([1.5], like=t).tolist() == [1.5]


def test_functions_that_numpy_computes_share_memory_where_it_returns_views():
    t = runtime.arange(6.0)
    parts = np.lib.stride_tricks.sliding_window_view(t, 2)
    t[1] = 9
    assert parts[0].tolist() == [0.0, 9.0]


def test_ufuncs_of_scipy_are_operators_where_there_are_some():
    special = pytest.importorskip("scipy.special")
    x = np.linspace(0.1, 0.9, 5)
    t, seen = runtime.tensor(x, requires_grad=True), Seen()
    names = ["erf", "erfc", "expit", "gammaln", "psi", "i0", "ndtr", "logit", "entr", "j0", "k1"]
    with seen:
        found = [getattr(special, name)(t) for name in names]
    assert len([n for n in seen.names if n.startswith("aten.")]) >= len(names)
    for name, y in zip(names, found):
        np.testing.assert_allclose(y.detach().numpy(), getattr(special, name)(x), 1e-6)
    for name in ufuncs.SPECIAL_OPERATORS:
        ufunc = getattr(special, name)
        operands = [t.detach(), t.detach() + 0.5][: ufunc.nin]
        with seen:
            seen.names.clear()
            y = ufunc(*operands)
        assert seen.names, f"{name} is no operator"
        np.testing.assert_allclose(y.numpy(), ufunc(*[z.numpy() for z in operands]), 1e-6)
    assert special.erf(t).requires_grad
    with pytest.raises(RuntimeError, match="gamma has no operator"):
        special.gamma(t)
    np.testing.assert_allclose(special.gamma(t.detach()).numpy(), special.gamma(x))
    np.testing.assert_allclose(special.xlogy(t, 2.0).detach().numpy(), special.xlogy(x, 2.0))


# ------------------------------------------------------------------------------------------------------- tensors as arrays and buffers


def test_array_follows_numpys_rules_of_copies():
    t = runtime.ones(3)
    assert np.shares_memory(np.asarray(t), t.numpy()) and np.shares_memory(np.asarray(t, copy=False), t.numpy())
    assert not np.shares_memory(np.array(t), t.numpy()) and not np.shares_memory(np.asarray(t, copy=True), t.numpy())
    assert np.shares_memory(t.__array__(), t.numpy()) and np.shares_memory(t.__array__(copy=False), t.numpy())
    assert not np.shares_memory(t.__array__(copy=True), t.numpy())
    assert np.shares_memory(t.__array__(np.float32, copy=False), t.numpy())
    assert t.__array__(np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        t.__array__(np.float64, copy=False)
    with pytest.raises(ValueError):
        np.asarray(t, np.float64, copy=False)
    assert np.array([t, t]).shape == (2, 3)


def test_arrays_of_bfloat16_are_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    t = runtime.ones(2, dtype=runtime.bfloat16)
    array = np.asarray(t)
    assert array.dtype == ml_dtypes.bfloat16
    array[0] = 3
    assert t.tolist() == [3.0, 1.0]
    assert np.asarray(t, np.float32).tolist() == [3.0, 1.0]


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: runtime.ones(2, requires_grad=True), RuntimeError, "detach"),
        (lambda: runtime.ones(2, device="meta"), TypeError, "meta"),
        (lambda: runtime.tensor([1j]).conj(), RuntimeError, "conjugate bit"),
    ],
)
def test_memory_that_is_not_the_tensors_value_is_not_shown(make, error, message):
    t = make()
    with pytest.raises(error, match=message):
        np.asarray(t)
    assert not hasattr(t, "__array_interface__")
    with pytest.raises(BufferError, match="cannot be exported as a buffer"):
        memoryview(t)


def test_the_array_interface_describes_the_memory():
    t = runtime.arange(12.0).view(3, 4)[:, 1:]
    found = t.__array_interface__
    assert found["shape"] == (3, 3) and found["typestr"] == "<f4" and found["strides"] == (16, 4) and found["version"] == 3
    assert found["data"] == (t.data_ptr(), False)
    assert runtime.ones(2).__array_interface__["strides"] is None
    assert not hasattr(runtime.ones(2, dtype=runtime.bfloat16), "__array_interface__")


BUFFERS = {"bool": "?", "uint8": "B", "int8": "b", "int16": "h", "int32": "i", "float16": "e", "float32": "f", "float64": "d", "uint16": "H"}


@pytest.mark.parametrize("name", BUFFERS)
def test_a_tensor_is_a_buffer(name):
    t = runtime.tensor([[0, 1], [1, 0]], dtype=getattr(runtime, name))
    view = memoryview(t)
    assert view.format == BUFFERS[name] and view.shape == (2, 2) and not view.readonly
    assert view.itemsize == t.element_size() and view.nbytes == t.nbytes and view.strides == (2 * t.element_size(), t.element_size())
    assert bytes(t) == t.numpy().tobytes()
    assert np.asarray(view).dtype == t.numpy().dtype and np.asarray(view).tolist() == t.tolist()


def test_buffers_share_memory_and_lock_its_size():
    t = runtime.zeros(4)
    view = memoryview(t)
    view[1] = 5.0
    assert t.tolist() == [0.0, 5.0, 0.0, 0.0]
    with pytest.raises(RuntimeError, match="lent"):
        t.resize_(1000)
    view.release()
    assert t.resize_(1000).shape == (1000,)
    view = memoryview(runtime.ones(1000))
    gc.collect()
    assert view[999] == 1.0


def test_a_view_survives_changes_of_the_tensors_geometry():
    t = runtime.arange(6.0)
    view = memoryview(t)
    t.set_()
    gc.collect()
    assert view.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_strided_and_empty_tensors_are_buffers_for_those_who_take_strides():
    t = runtime.arange(6.0).view(2, 3).t()
    view = memoryview(t)
    assert view.tolist() == t.tolist() and view.f_contiguous and not view.c_contiguous
    assert bytes(t) == t.contiguous().numpy().tobytes()
    with pytest.raises(BufferError, match="contiguous"):
        np.frombuffer(t, np.float32)
    assert np.frombuffer(t.contiguous(), np.float32).tolist() == [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
    assert memoryview(runtime.ones(0, 3)).tolist() == [] and memoryview(runtime.tensor(2.5)).tolist() == 2.5
    with pytest.raises(BufferError, match="no format"):
        memoryview(runtime.ones(1, dtype=runtime.bfloat16))


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_read_only_memory_is_a_read_only_buffer():
    t = runtime.from_numpy(np.frombuffer(b"\0" * 8, np.float32))
    assert memoryview(t).readonly and not np.asarray(t).flags.writeable
    import io

    with pytest.raises((BufferError, TypeError)):
        io.BytesIO(b"12345678").readinto(t)
    plain = runtime.zeros(2)
    assert io.BytesIO(np.array([1, 2], np.float32).tobytes()).readinto(plain) == 8
    assert plain.tolist() == [1.0, 2.0]


def test_calls_leak_nothing():
    t, a = runtime.ones(3), np.ones(3)

    def calls():
        np.sin(t), np.add(t, a), np.add(a, 1.0, out=a), np.add.reduce(t), np.concatenate([t, a]), np.cbrt(t), np.asarray(t), bytes(t)
        with pytest.raises(TypeError):
            np.add(t, object())

    for _ in range(50):
        calls()
    gc.collect()
    blocks, counts = sys.getallocatedblocks(), (sys.getrefcount(t), sys.getrefcount(a), sys.getrefcount(np.sin))
    for _ in range(500):
        calls()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 100
    assert (sys.getrefcount(t), sys.getrefcount(a), sys.getrefcount(np.sin)) == counts


def test_importing_the_package_imports_no_protocols():
    code = "import runtime, sys; assert not [m for m in sys.modules if m.startswith('runtime.numpy_protocols')]"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_a_build_lacks_numpy_computes(monkeypatch):
    monkeypatch.delattr(runtime, "amax")
    monkeypatch.delattr(runtime, "cumsum")
    t = runtime.tensor([1.0, 3.0, 2.0])
    assert np.max(t) == 3 and np.cumsum(t).tolist() == [1.0, 4.0, 6.0]


@pytest.mark.parametrize("ufunc", [np.isnan, np.isfinite, np.isinf, np.signbit])
def test_questions_write_their_answers_where_out_says(ufunc):
    t = runtime.tensor([1.0, -np.inf, np.nan])
    for dtype in (runtime.bool, runtime.float32):
        out = runtime.ones(3, dtype=dtype)
        assert ufunc(t, out=out) is out
        assert out.tolist() == ufunc(t.numpy()).tolist()


@pytest.mark.parametrize("ufunc", [np.floor, np.ceil, np.trunc, np.sign, np.negative, np.absolute, np.rint])
def test_a_result_is_cast_to_the_dtype_of_out(ufunc):
    t = runtime.tensor([1, -2], dtype=runtime.int32)
    out = runtime.zeros(2)
    assert ufunc(t, out=out) is out and out.tolist() == ufunc(t.numpy()).tolist()


def test_in_place_operations_of_arrays_and_tensors_write_to_their_own_memory():
    a, t = np.arange(3.0), runtime.tensor([1.0, 2.0, 3.0], dtype=runtime.float64)
    kept = a
    a += t
    assert a is kept and a.tolist() == [1.0, 3.0, 5.0]
    assert np.sin(t, out=t) is t and t.tolist() == np.sin([1.0, 2.0, 3.0]).tolist()
    assert np.add(t, 1, out=t) is t and t.tolist() == (np.sin([1.0, 2.0, 3.0]) + 1).tolist()
    version = t._version
    np.multiply(t, 2, out=t)
    assert t._version == version + 1
    read_only = np.ones(3)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        np.add(t, t, out=read_only)


def test_an_output_that_overlaps_an_operand_is_written_after_it_was_read():
    memory = np.arange(6.0)
    t = runtime.from_numpy(memory)
    assert np.add(t[:4], t[1:5], out=t[2:]).tolist() == [1.0, 3.0, 5.0, 7.0]
    other = runtime.from_numpy(np.arange(6.0))
    array = other.numpy()
    np.add(other[:-1], 1, out=array[1:])
    assert array.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_outputs_that_do_not_fit_raise_as_before():
    t = runtime.ones(3)
    with pytest.raises(TypeError, match="cannot cast"):
        np.add(t, 1j, out=t)
    with pytest.raises(ValueError, match="does not broadcast"):
        np.add(t, t, out=runtime.ones(2))


def test_flags_of_numpys_functions_may_be_numbers():
    t = runtime.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
    assert [tuple(x.shape) for x in np.linalg.svd(t, full_matrices=0)] == [(3, 2), (2,), (2, 2)]
    values, counts = np.unique(runtime.tensor([1, 2, 1]), return_counts=1)
    assert values.tolist() == [1, 2] and counts.tolist() == [2, 1]
    assert np.linalg.matrix_rank(t, hermitian=0).item() == 2 and np.isin(values, [1], invert=1).tolist() == [False, True]


def test_ufuncs_that_are_not_numpys_compute_on_the_memory():
    class Compiled:
        """What ufuncs that a compiler of another library made are: callables that ask by NumPy's protocol."""

        def __call__(self, *operands):
            for operand in operands:
                if not isinstance(operand, np.ndarray):
                    return operand.__array_ufunc__(self, "__call__", *operands)
            return operands[0] * 2

    result = Compiled()(runtime.ones(2))
    assert type(result) is runtime.Tensor and result.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda r, t: np.polyval(r, t),
        lambda r, t: np.polyval([1.0, 2.0, 3.0], r),
        lambda r, t: np.convolve(r, t),
        lambda r, t: np.convolve(t[:2], r, "same"),
        lambda r, t: np.convolve(r, t[:2], "valid"),
        lambda r, t: np.correlate(r, t[:2]),
        lambda r, t: np.correlate(r, t, "full"),
        lambda r, t: np.insert(r, -1, 5.0),
        lambda r, t: np.insert(r.reshape(1, 3), 1, t),
        lambda r, t: np.unwrap(r * t),
        lambda r, t: np.unwrap((r * t).reshape(3, 1), discont=4, axis=0, period=5.0),
        lambda r, t: np.delete(r, 0),
        lambda r, t: np.delete(r, slice(1, 3)),
        lambda r, t: np.delete(r, [0, -1]),
        lambda r, t: np.delete(r, []),
        lambda r, t: np.delete(r.reshape(1, 3), 1, axis=1),
    ],
)
def test_functions_made_of_operators_keep_gradients(call):
    r, t = runtime.tensor([1.0, 2.0, 4.0], requires_grad=True), runtime.tensor([3.0, 5.0, 7.0])
    result = call(r, t)
    assert result.requires_grad
    np.testing.assert_allclose(result.detach().numpy(), call(r.detach().numpy(), t.numpy()), rtol=1e-6)


def test_functions_without_a_gradient_take_tensors_that_require_one():
    r = runtime.tensor([1.0, 2.0, 4.0], requires_grad=True)
    assert np.digitize(r, runtime.tensor([1.5, 3.0])).tolist() == [0, 1, 2]
    assert np.histogram(r, 3)[0].tolist() == [1, 1, 1] and np.array2string(r) == "[1. 2. 4.]"
