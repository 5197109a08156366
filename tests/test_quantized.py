"""Quantized tensors: what their integers stand for, what views keep, which functions they have, and that PyTorch gives the same bits."""

import copy
import io
import pickle
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runtime as rt
from runtime import _core

BOUNDS = {"quint8": (0, 255), "qint8": (-128, 127), "qint32": (-(2**31), 2**31 - 1)}
X = np.array([[-1.0, 0.1, 0.26], [1.0, 2.5, -0.7]], np.float32)


@pytest.fixture
def torch():
    module = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield module


def uniform(m, dtype="quint8", scale=0.1, zero_point=10, x=X):
    return m.quantize_per_tensor(m.from_numpy(x.copy()), scale, zero_point, getattr(m, dtype))


def by_channel(m, dtype="qint8", axis=0, x=X):
    n = x.shape[axis]
    scales, points = m.tensor([0.1 * (i + 1) for i in range(n)]), m.tensor([3 * i for i in range(n)])
    return m.quantize_per_channel(m.from_numpy(x.copy()), scales, points, axis, getattr(m, dtype))


def described(value):
    """A value of either library as plain data."""
    if isinstance(value, (tuple, list)):
        return [described(v) for v in value]
    if not hasattr(value, "is_quantized"):
        return str(value)
    if not value.is_quantized:
        return str(value.dtype), value.numpy().tolist()
    scheme = str(value.qscheme())
    if scheme == "torch.per_tensor_affine":
        quantizer = value.q_scale(), value.q_zero_point()
    else:
        quantizer = value.q_per_channel_scales().tolist(), value.q_per_channel_zero_points().tolist(), value.q_per_channel_axis()
    return str(value.dtype), scheme, quantizer, value.stride(), value.int_repr().numpy().tolist()


def outcome(f, m):
    try:
        return described(f(m))
    except Exception as e:
        return type(e).__name__


# ---- integers and numbers


FLOATS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9),
                    elements=st.floats(-(2.0**20), 2.0**20, width=32))  # fmt: skip
SCALES = st.floats(1e-5, 1e4)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", BOUNDS)
@settings(max_examples=40, deadline=None)
@given(x=FLOATS, scale=SCALES, share=st.floats(0, 1), halves=st.booleans())
def test_one_scale_gives_the_integers_and_numbers_of_pytorch(dtype, x, scale, share, halves):
    torch = pytest.importorskip("torch")
    low, high = (max(b, -(2**20)) if b < 0 else min(b, 2**20) for b in BOUNDS[dtype])
    point = int(low + share * (high - low))
    if halves:
        x = ((np.round(x) % 300 + 0.5) * scale).astype(np.float32)
    assume(dtype != "qint32" or np.abs(x / scale).max(initial=0) < 2**30)  # beyond, PyTorch's differences wrap
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.quantize_per_tensor(torch.from_numpy(x.copy()), scale, point, getattr(torch, dtype))
    ours = rt.quantize_per_tensor(rt.from_numpy(x.copy()), scale, point, getattr(rt, dtype))
    np.testing.assert_array_equal(ours.int_repr().numpy(), theirs.int_repr().numpy())
    np.testing.assert_array_equal(ours.dequantize().numpy(), theirs.dequantize().numpy())


@pytest.mark.oracle
@pytest.mark.parametrize("points", ["int64", "float32"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_scales_of_channels_give_the_integers_and_numbers_of_pytorch(points, data):
    torch = pytest.importorskip("torch")
    dtype = data.draw(st.sampled_from(["quint8", "qint8"]))
    x = data.draw(FLOATS)
    axis = data.draw(st.integers(0, x.ndim - 1))
    n = x.shape[axis]
    scales = np.array(data.draw(st.lists(SCALES, min_size=n, max_size=n)), np.float32)
    zeros = np.array(data.draw(st.lists(st.integers(0, 127), min_size=n, max_size=n)), points)
    assume(points == "int64" or not x.size or np.abs(x).max() / scales.min() < 2**30)  # beyond, PyTorch's integers overflow
    made = []
    for m in torch, rt:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.append(m.quantize_per_channel(m.from_numpy(x.copy()), m.from_numpy(scales), m.from_numpy(zeros), axis, getattr(m, dtype)))
    np.testing.assert_array_equal(made[1].int_repr().numpy(), made[0].int_repr().numpy())
    np.testing.assert_array_equal(made[1].dequantize().numpy(), made[0].dequantize().numpy())


@pytest.mark.oracle
@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("dtype", ["quint8", "qint8"])
def test_chosen_scales_are_those_of_pytorch(torch, dtype, reduce_range):
    rng = np.random.default_rng(0)
    for factor in (1e-3, 1.0, 1e3):
        for shift in (-3, 0, 3):
            x = ((rng.normal(size=33) + shift) * factor).astype(np.float32)
            ours, theirs = (m.quantize_per_tensor_dynamic(m.from_numpy(x), getattr(m, dtype), reduce_range) for m in (rt, torch))
            assert described(ours) == described(theirs)


def test_half_way_values_go_to_even_integers_and_large_ones_to_the_bounds():
    x = rt.tensor([0.5, 1.5, 2.5, -0.5, 1e9, -1e9, np.inf, -np.inf])
    assert rt.quantize_per_tensor(x, 1.0, 0, rt.qint8).int_repr().tolist() == [0, 2, 2, 0, 127, -128, 127, -128]
    assert rt.quantize_per_tensor(x, 1.0, 0, rt.qint32).int_repr().tolist()[4:] == [10**9, -(10**9), 2**31 - 1, -(2**31)]


def test_lists_take_a_scale_each():
    x = rt.from_numpy(X)
    a, b = rt.quantize_per_tensor([x, x], rt.tensor([0.1, 0.5]), rt.tensor([1, 2]), rt.quint8)
    assert (a.q_zero_point(), b.q_scale()) == (1, 0.5)
    assert [tuple(t.shape) for t in rt.dequantize([a, b])] == [(2, 3)] * 2


# ---- what they are


def test_the_key_is_quantized_and_the_dtype_has_a_size():
    q = uniform(rt, "qint32")
    assert str(_core._dispatch_keys(q)) == "DispatchKeySet(QuantizedCPU, ADInplaceOrView, AutogradCPU, AutocastCPU)"
    assert q.is_quantized and not q.is_floating_point() and (q.element_size(), q.nbytes) == (4, 24)
    assert q[1].data_ptr() - q.data_ptr() == 12
    assert q.type() == "torch.quantized.QInt32Tensor"
    with pytest.raises(RuntimeError, match="isSignedType"):
        _ = rt.qint8.is_signed
    with pytest.raises(RuntimeError, match="QUInt8 Char"):
        rt.promote_types(rt.quint8, rt.int8)


def test_schemes_are_values_with_names():
    assert repr(uniform(rt).qscheme()) == "torch.per_tensor_affine"
    assert by_channel(rt).qscheme() is rt.per_channel_affine
    assert isinstance(rt.per_channel_symmetric, rt.qscheme) and pickle.loads(pickle.dumps(rt.per_tensor_symmetric)) is rt.per_tensor_symmetric
    with pytest.raises(TypeError):
        rt.qscheme()


def test_results_require_no_grad():
    x = rt.ones(3, requires_grad=True)
    q = rt.quantize_per_tensor(x, 0.1, 0, rt.quint8)
    assert not q.requires_grad and not q.dequantize().requires_grad
    with pytest.raises(RuntimeError, match="floating point"):
        q.requires_grad_()


def test_operators_without_a_kernel_name_the_backend():
    q = uniform(rt)
    for f in (lambda: q + q, lambda: -q, lambda: q.exp(), lambda: q.abs(), lambda: q.zero_(), lambda: rt.where(q > 0, q, q)):
        with pytest.raises(NotImplementedError, match="'QuantizedCPU' backend"):
            f()
    for f in (lambda: q.sum(), lambda: q @ q.t(), lambda: rt.rand_like(q), lambda: q.nonzero()):
        with pytest.raises(NotImplementedError):
            f()
    with pytest.raises(NotImplementedError, match="aten::q_scale"):
        rt.ones(2).q_scale()


def test_writing_counts_versions_and_views_share_them():
    q = uniform(rt)
    row = q[0]
    assert q._version == 0 and row._is_view() and row._base is q
    q[0] = 1.0
    assert q._version == row._version == 1
    assert q.dequantize()[0].tolist() == [1.0, 1.0, 1.0]


# ---- views


@pytest.mark.parametrize(
    "view",
    [lambda q: q.view(3, 2), lambda q: q.t(), lambda q: q[0], lambda q: q[:, 1:], lambda q: q.unsqueeze(1), lambda q: q.expand(2, 2, 3),
     lambda q: q.reshape(6), lambda q: q.permute(1, 0), lambda q: q.detach(), lambda q: q.data, lambda q: q.unbind(1)[2], lambda q: q.split(2, 1)[1],
     lambda q: q.as_strided((2,), (2,), 1), lambda q: q.diagonal(), lambda q: q.unfold(1, 2, 1), lambda q: q[None].squeeze(0), lambda q: q.mT],
)  # fmt: skip
def test_one_scale_goes_along_with_every_view(view):
    q = uniform(rt)
    seen = view(q)
    assert (seen.q_scale(), seen.q_zero_point()) == (0.1, 10)
    assert seen.untyped_storage().data_ptr() == q.untyped_storage().data_ptr()
    assert seen.dequantize().tolist() == view(q.dequantize()).tolist()


CHANNEL_VIEWS = {
    "select_channel": lambda q: q[1],
    "one_channel": lambda q: q[1:2],
    "channels": lambda q: q[0:2],
    "every_second": lambda q: q[::2],
    "rest": lambda q: q[:, 1:],
    "unsqueeze_before": lambda q: q.unsqueeze(0),
    "unsqueeze_behind": lambda q: q.unsqueeze(2),
    "squeeze": lambda q: q.unsqueeze(0).squeeze(0),
    "split": lambda q: q.split(2),
    "unbind": lambda q: q.unbind(0),
    "view": lambda q: q.view(3, 2, 2),
    "clone": lambda q: q.clone(),
    "detach": lambda q: q.detach(),
    "transpose": lambda q: q.t(),
    "permute": lambda q: q.permute(1, 0),
    "expand": lambda q: q.expand(3, 4),
    "as_strided": lambda q: q.as_strided((2,), (1,)),
    "flip": lambda q: q.flip(0),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", CHANNEL_VIEWS)
def test_scales_of_channels_go_along_as_in_pytorch(torch, name):
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    f = CHANNEL_VIEWS[name]
    assert outcome(lambda m: f(by_channel(m, x=x)), rt) == outcome(lambda m: f(by_channel(m, x=x)), torch)


def test_scales_that_do_not_fit_a_view_are_an_error_when_they_are_used():
    merged = by_channel(rt).view(6)
    with pytest.raises(RuntimeError, match="length of scales"):
        merged.dequantize()
    with pytest.raises(RuntimeError, match="length of scales"):
        repr(merged)


# ---- functions


FUNCTIONS = {
    "relu": lambda m, q: m.relu(q),
    "relu_": lambda m, q: q.clone().relu_(),
    "sigmoid": lambda m, q: m.sigmoid(q),
    "hardsigmoid": lambda m, q: m.nn.functional.hardsigmoid(q),
    "tanh": lambda m, q: m.tanh(q),
    "leaky_relu": lambda m, q: m.nn.functional.leaky_relu(q, 0.3),
    "threshold": lambda m, q: m.nn.functional.threshold(q, 0.5, 0.7),
    "hardtanh": lambda m, q: m.nn.functional.hardtanh(q, -0.5, 0.5),
    "clamp": lambda m, q: q.clamp(0, 1),
    "clamp_max": lambda m, q: q.clamp(max=0.3),
    "max": lambda m, q: q.max(),
    "min_dim": lambda m, q: q.min(1),
    "max_keepdim": lambda m, q: q.max(1, keepdim=True),
    "sort": lambda m, q: q.sort(dim=1, descending=True, stable=True),
    "topk": lambda m, q: q.topk(2),
    "mean": lambda m, q: q.mean(),
    "mean_dim": lambda m, q: q.mean(1, keepdim=True),
    "avg_pool2d": lambda m, q: m.nn.functional.avg_pool2d(q[None, None], 2),
    "adaptive_avg_pool2d": lambda m, q: m.nn.functional.adaptive_avg_pool2d(q[None, None], 1),
    "max_pool1d": lambda m, q: m.nn.functional.max_pool1d(q[None], 2),
    "max_pool2d": lambda m, q: m.nn.functional.max_pool2d(q[None, None], 2, 1),
    "interpolate": lambda m, q: m.nn.functional.interpolate(q[None, None], scale_factor=2),
    "pad": lambda m, q: m.nn.functional.pad(q, (1, 2), value=0.3),
    "cat": lambda m, q: m.cat([q, q], 1),
    "stack": lambda m, q: m.stack([q, q]),
    "flip": lambda m, q: q.flip(0),
    "repeat": lambda m, q: q.repeat(2, 1),
    "index_select": lambda m, q: q.index_select(1, m.tensor([2, 0])),
    "index": lambda m, q: q[:, m.tensor([1, 1])],
    "mask": lambda m, q: q[q > 0],
    "masked_fill_": lambda m, q: q.masked_fill_(m.from_numpy(X > 0), 1.0),
    "index_put_": lambda m, q: q.index_put_((m.tensor([0]),), m.from_numpy(X[1])),
    "fill_": lambda m, q: q.fill_(0.33),
    "copy_": lambda m, q: q.copy_(m.from_numpy(X * 2)),
    "copy_quantized": lambda m, q: q.copy_(m.quantize_per_tensor(m.from_numpy(X), 0.5, 2, q.dtype)),
    "ones_like": lambda m, q: m.ones_like(q),
    "full_like": lambda m, q: m.full_like(q, 0.7),
    "item": lambda m, q: q[0, 1].item(),
    "lt": lambda m, q: q < 0.5,
    "eq": lambda m, q: q == q[0],
    "ge_plain": lambda m, q: q >= m.from_numpy(X),
    "equal": lambda m, q: [q.equal(q.clone()), q.equal(q.dequantize()), q.equal(q[0])],
    "resize_": lambda m, q: q.resize_(2, 2),
    "set_": lambda m, q: q.set_(q.untyped_storage(), 1, (2,), (2,)),
    "to": lambda m, q: q.to(q.dtype, copy=True),
    "contiguous": lambda m, q: q.t().contiguous(),
    "channels_last": lambda m, q: q[None, None].contiguous(memory_format=m.channels_last),
    "empty_like": lambda m, q: m.empty_like(q).q_scale(),
    "empty_quantized": lambda m, q: m.empty_quantized((3,), q).q_zero_point(),
    "made": lambda m, q: m._make_per_tensor_quantized_tensor(q.int_repr(), 0.3, 2),
    # what is refused
    "add": lambda m, q: q + q,
    "float": lambda m, q: q.float(),
    "copy_float64": lambda m, q: q.copy_(m.zeros(2, 3, dtype=m.float64)),
    "copy_other_shape": lambda m, q: q.copy_(m.zeros(3)),
    "copy_to_plain": lambda m, q: m.zeros(2, 3).copy_(q),
    "copy_other_scheme": lambda m, q: q.copy_(by_channel(m, str(q.dtype)[6:])),
    "empty_like_float": lambda m, q: m.empty_like(q, dtype=m.float32),
    "zeros": lambda m, q: m.zeros(2, dtype=q.dtype),
    "tensor": lambda m, q: m.tensor([1], dtype=q.dtype),
    "tolist": lambda m, q: q.tolist(),
    "numpy": lambda m, q: q.numpy(),
    "set_source": lambda m, q: q.set_(m.zeros(2)),
    "meta": lambda m, q: q.to("meta"),
    "data": lambda m, q: setattr(q, "data", m.zeros(2)),
    "twice": lambda m, q: m.quantize_per_tensor(q, 0.1, 0, m.quint8),
    "axis": lambda m, q: q.q_per_channel_axis(),
}
FIXED_RANGE = {"sigmoid", "hardsigmoid", "tanh"}  # of integers of 32 bits PyTorch's are wrong


@pytest.mark.oracle
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_give_what_pytorch_gives(torch, name):
    for dtype in BOUNDS:
        if dtype == "qint32" and name in FIXED_RANGE:
            continue
        ours, theirs = (outcome(lambda m, dtype=dtype: FUNCTIONS[name](m, uniform(m, dtype)), m) for m in (rt, torch))
        assert ours == theirs, dtype


REFUSED = {
    "double": lambda m, x: m.quantize_per_tensor(x.double(), 0.1, 0, m.quint8),
    "dtype": lambda m, x: m.quantize_per_tensor(x, 0.1, 0, m.uint8),
    "below": lambda m, x: m.quantize_per_tensor(x, 0.1, -1, m.quint8),
    "above": lambda m, x: m.quantize_per_tensor(x, 0.1, 128, m.qint8),
    "far_above": lambda m, x: m.quantize_per_tensor(x, 0.1, 2**40, m.qint32),
    "axis": lambda m, x: m.quantize_per_channel(x, m.ones(2), m.zeros(2), 2, m.quint8),
    "negative_axis": lambda m, x: m.quantize_per_channel(x, m.ones(3), m.zeros(3), -1, m.quint8),
    "channels": lambda m, x: m.quantize_per_channel(x, m.ones(3), m.zeros(3), 0, m.quint8),
    "lengths": lambda m, x: m.quantize_per_channel(x, m.ones(2), m.zeros(3), 0, m.quint8),
    "integer_scales": lambda m, x: m.quantize_per_channel(x, m.tensor([1, 2]), m.tensor([1, 2]), 0, m.quint8),
    "two_dimensions": lambda m, x: m.quantize_per_channel(x, m.ones(1, 2), m.zeros(2), 0, m.quint8),
    "dynamic_dtype": lambda m, x: m.quantize_per_tensor_dynamic(x, m.qint32, False),
    "dynamic_nothing": lambda m, x: m.quantize_per_tensor_dynamic(m.empty(0), m.qint8, False),
    "dynamic_nan": lambda m, x: m.quantize_per_tensor_dynamic(x * float("nan"), m.qint8, False),
    "dynamic_infinity": lambda m, x: m.quantize_per_tensor_dynamic(x / 0, m.qint8, False),
    "empty_dtype": lambda m, x: m._empty_affine_quantized([2], dtype=m.float32),
    "empty_no_dtype": lambda m, x: m._empty_affine_quantized([2], scale=0.1, zero_point=3),
    "empty_negative": lambda m, x: m._empty_affine_quantized([-2], dtype=m.quint8),
    "made": lambda m, x: m._make_per_tensor_quantized_tensor(x.long(), 0.1, 3),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", REFUSED)
def test_arguments_are_refused_as_pytorch_does(torch, name):
    ours, theirs = (outcome(lambda m: REFUSED[name](m, m.from_numpy(X)), m) for m in (rt, torch))
    assert ours == theirs == "RuntimeError"


@pytest.mark.oracle
@pytest.mark.parametrize("scale", [0.0, -0.1, float("nan"), float("inf"), 1e-40, 1e-320, 1e40])
def test_odd_scales_give_what_pytorch_gives(torch, scale):
    ours, theirs = (uniform(m, scale=scale) for m in (rt, torch))
    assert ours.int_repr().tolist() == theirs.int_repr().tolist()
    np.testing.assert_array_equal(ours.dequantize().numpy(), theirs.dequantize().numpy())


# ---- texts, copies, files


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (3,), (2, 3), (40, 40)])
def test_they_print_as_in_pytorch(torch, shape):
    x = np.linspace(-3, 3, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    for dtype in BOUNDS:
        assert repr(uniform(rt, dtype, x=x)) == repr(uniform(torch, dtype, x=x))
    if len(shape) == 2 and shape[0] < 9:
        assert repr(by_channel(rt, x=x)) == repr(by_channel(torch, x=x))


@pytest.mark.parametrize("make", [uniform, by_channel])
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda q: pickle.loads(pickle.dumps(q)), lambda q: rt.nn.Parameter(q, False).data])
def test_copies_keep_the_quantizer(make, again):
    q = make(rt)[:, 1:]
    assert described(again(q)) == described(q)


def saved(m, value):
    file = io.BytesIO()
    m.save(value, file)
    file.seek(0)
    return file


@pytest.mark.oracle
@pytest.mark.parametrize("make", [uniform, by_channel])
def test_files_go_both_ways(torch, make):
    ours, theirs = make(rt), make(torch)
    assert described(rt.load(saved(torch, theirs))) == described(ours)
    assert described(torch.load(saved(rt, ours))) == described(theirs)
    assert described(rt.load(saved(rt, ours[:, 1:]))) == described(ours[:, 1:])


def test_files_cannot_name_another_quantizer():
    from runtime.serialization.rebuild import _rebuild_qtensor

    storage = rt.storage.TypedStorage(wrap_storage=rt.zeros(4, dtype=rt.uint8).untyped_storage(), dtype=rt.quint8)
    for quantizer in ((), [], (rt.per_tensor_affine, 1, 0), (rt.per_channel_affine, 1.0, 0, 0), (rt.per_tensor_symmetric, 1.0, 0), ("x", 1.0, 0)):
        with pytest.raises(TypeError):
            _rebuild_qtensor(storage, 0, (4,), (1,), quantizer, False, None)
    with pytest.raises(ValueError, match="needs"):
        _rebuild_qtensor(storage, 0, (5,), (1,), (rt.per_tensor_affine, 1.0, 0), False, None)


def test_comparisons_of_tests_know_them():
    q = uniform(rt)
    rt.testing.assert_close(q, q.clone())
    with pytest.raises(AssertionError, match="is_quantized"):
        rt.testing.assert_close(q, q.dequantize(), check_dtype=False)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        rt.testing.assert_close(q, uniform(rt, x=X + 1))


# ---- nothing crashes


def survives(f):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            repr(f())
    except Exception as e:
        assert str(e)


def test_no_operator_reads_a_quantized_tensor_wrongly():
    small = [uniform(rt), by_channel(rt), rt.quantize_per_tensor(rt.empty(0), 0.1, 3, rt.qint32)]
    names = {n.partition("::")[2].partition(".")[0] for n in _core._dispatch_get_all_op_names() if n.startswith("aten::")}
    for name in sorted(names):
        packet = getattr(rt.ops.aten, name)
        for overload in packet.overloads():
            op = getattr(packet, overload)
            required = [a for a in op._schema.arguments if not a.kwarg_only and not a.has_default_value()]
            kinds = {"Tensor": 0, "Tensor?": None, "int": 0, "SymInt": 0, "float": 1.0, "Scalar": 1, "bool": True, "number": 1}
            for q in small:
                args = [q.clone() if str(a.type) == "Tensor" else kinds.get(str(a.type), [0]) for a in required]
                survives(partial(op, *args))


HOSTILE = {
    "as_strided_outside": lambda q: q.as_strided((1000,), (1000,)),
    "set_outside": lambda q: q.set_(rt.zeros(1).untyped_storage(), 0, (1000,), (7,)),
    "set_empty": lambda q: q.set_(rt.UntypedStorage(0), 0, (3,), (1,)),
    "smaller_storage": lambda q: q.untyped_storage().resize_(1),
    "resize_huge": lambda q: q.resize_(2**60),
    "view_wider": lambda q: q.view(rt.int64),
    "view_plain_as_quantized": lambda q: rt.zeros(8).view(q.dtype),
    "wrapper": lambda q: rt.Tensor._make_wrapper_subclass(type("W", (rt.Tensor,), {}), (2,), dtype=q.dtype),
    "frombuffer": lambda q: rt.frombuffer(b"12345678", dtype=q.dtype),
    "metadata": lambda q: q.squeeze_().t_().unsqueeze_(0),
    "foreign_quantizer": lambda q: _core._set_quantizer(q, (1, 2)),
    "no_quantizer": lambda q: _core._set_quantizer(q, ()),
    "mixed_integers": lambda q: _core._quantized(rt.zeros(3), q.dtype, (rt.per_tensor_affine, 1.0, 0)),
    "meta_integers": lambda q: _core._quantized(rt.zeros(3, dtype=rt.uint8, device="meta"), rt.quint8, (rt.per_tensor_affine, 1.0, 0)),
    "taken": lambda q: _core._take_integers(q, rt.zeros(3)),
    "numpy": lambda q: np.asarray(q),
    "buffer": lambda q: memoryview(q),
    "dlpack": lambda q: q.__dlpack__(),
    "add_numpy": lambda q: np.add(q, q),
    "storage": lambda q: rt.storage.TypedStorage(wrap_storage=q.untyped_storage(), dtype=q.dtype).tolist(),
    "index_self": lambda q: q[q],
    "apply": lambda q: q.apply_(lambda v: v),
}


@pytest.mark.parametrize("make", [uniform, by_channel])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_calls_end_in_errors(make, name):
    q = make(rt)
    survives(lambda: HOSTILE[name](q))
    for f in (q.dequantize, q.int_repr, q.clone, lambda: repr(q), q.max, lambda: q.fill_(1.0), lambda: q[0], lambda: pickle.dumps(q)):
        survives(f)


def test_a_quantizer_in_a_cycle_is_collected():
    import gc
    import weakref

    q = by_channel(rt)
    scales = _core._quantizer(q)[1]
    scales.holder, alive = q, weakref.ref(q)
    del q, scales
    gc.collect()
    assert alive() is None


# ---- cuDNN's operator


def rnn_arguments(m, device, sizes=(), batch_first=False, projected=0, cell=True):
    x = m.zeros(*((5, 4) if sizes else (5, 3, 4)), device=device)
    hidden = m.zeros(2, 3, 7, device=device)
    return x, [hidden], 4, hidden, hidden, hidden if cell else None, 2, 7, projected, 2, batch_first, 0.0, True, True, list(sizes), None


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"sizes": (3, 2)}, {"projected": 2}, {"cell": False}])
def test_the_shapes_of_cudnn_are_known_and_its_kernel_is_not(torch, options):
    ours, theirs = (m.ops.aten._cudnn_rnn.default(*rnn_arguments(m, "meta", **options)) for m in (rt, torch))
    assert [(tuple(x.shape), str(x.dtype)) for x in ours] == [(tuple(x.shape), str(x.dtype)) for x in theirs]
    with pytest.raises(NotImplementedError, match="'CPU' backend"):
        rt.ops.aten._cudnn_rnn.default(*rnn_arguments(rt, "cpu", **options))


def test_methods_of_autograd_are_operators_too():
    x = rt.ones(2)
    assert rt.ops.aten.requires_grad_.default(x) is x and x.requires_grad
    y = x * 2
    rt.ops.aten.retain_grad.default(y)
    y.sum().backward()
    assert y.grad.tolist() == [1.0, 1.0]


@pytest.mark.oracle
def test_bytes_of_blocks_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    numbers = np.random.default_rng(0).normal(0, 9, (2, 40000)).astype(np.float32)
    numbers[0, :5] = [np.nan, np.inf, -np.inf, 1e30, -0.05]
    for name in ("quint8", "qint8"):
        found = [m.quantize_per_tensor(m.from_numpy(numbers.T), 0.1, 10, getattr(m, name)).int_repr().numpy() for m in (rt, torch)]
        np.testing.assert_array_equal(*found)


def test_numbers_are_assigned_to_chosen_quantized_elements():
    q = rt.quantize_per_tensor(rt.arange(6.0), 0.1, 10, rt.quint8)
    q[rt.tensor([True, False, True, False, False, True])] = 0.0
    q[rt.tensor([1])] = 3.0
    assert q.dequantize().tolist() == pytest.approx([0, 3, 0, 3, 4, 0])


def test_new_empty_of_a_quantized_tensor_is_quantized():
    q = rt.quantize_per_tensor(rt.arange(6.0), 0.1, 10, rt.quint8)
    made = q.new_empty(2)
    assert made.dtype is rt.quint8 and made.shape == (2,) and made.is_quantized
    assert q.new_empty(2, dtype=rt.float32).dtype is rt.float32


def test_integer_limits_of_quantized_dtypes():
    limits = {d: (rt.iinfo(d).bits, rt.iinfo(d).min, rt.iinfo(d).max) for d in (rt.quint8, rt.qint8, rt.qint32)}
    assert limits == {rt.quint8: (8, 0, 255), rt.qint8: (8, -128, 127), rt.qint32: (32, -(2**31), 2**31 - 1)}
    with pytest.raises(NotImplementedError, match="QUInt8"):
        rt.iinfo(rt.quint8).dtype  # noqa: B018
