"""Copies and pickles of tensors and of what belongs to them: shared memory stays shared, classes, attributes and lazy bits are kept."""

import copy
import pickle
import warnings

import pytest

import runtime
from runtime import _core, nn
from runtime.testing.two_tensor import TwoTensor

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def rebuilt(value, protocol):
    return pickle.loads(pickle.dumps(value, protocol))


class Attributed(runtime.Tensor):
    __slots__ = ("place",)


class Slotted(runtime.Tensor):
    def __setstate__(self, state):
        self.seen = state


class Copied(runtime.Tensor):
    def new_empty(self, *args, **kwargs):
        return runtime.Tensor.new_empty(self, *args, **kwargs).as_subclass(type(self))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tensors_of_one_pickle_share_memory_as_they_did(protocol):
    base = runtime.arange(6.0).view(2, 3)
    x, view = rebuilt((base.t(), base[1:]), protocol)
    assert x.stride() == (1, 3) and view.storage_offset() == 3
    x.zero_()
    assert view.tolist() == [[0, 0, 0]]
    assert base.sum() == 15


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", [runtime.bool, runtime.uint8, runtime.int64, runtime.bfloat16, runtime.complex64, runtime.float64])
def test_a_pickle_keeps_dtype_values_and_requires_grad(protocol, dtype):
    x = runtime.tensor([[0, 1, 1], [1, 0, 1]]).to(dtype)
    x.requires_grad_(dtype.is_floating_point or dtype.is_complex)
    y = rebuilt(x, protocol)
    assert y.dtype is dtype and y.requires_grad == x.requires_grad and y.tolist() == x.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_rebuilt_tensor_can_be_resized(protocol):
    assert rebuilt(runtime.ones(100), protocol).resize_(1000).numel() == 1000


def test_pickling_leaves_the_tensor_resizable():
    x = runtime.ones(100)
    buffers = []
    pickle.dumps(x, 5, buffer_callback=buffers.append)
    with pytest.raises(RuntimeError, match="resize"):
        x.resize_(1000)
    buffers.clear()
    assert x.resize_(1000).numel() == 1000


def test_out_of_band_buffers_are_not_copied_in_either_direction():
    x = runtime.zeros(1000)
    buffers = []
    data = pickle.dumps([x, x[2:]], protocol=5, buffer_callback=buffers.append)
    assert len(data) < 1000 and len(buffers) == 1
    y, z = pickle.loads(data, buffers=buffers)
    y[2] = 5
    assert x[2] == 5 and z[0] == 5
    own = bytearray(buffers[0])
    y = pickle.loads(data, buffers=[own])[0]
    y.fill_(1)
    assert bytes(own) == bytes(y.untyped_storage())


def test_a_tensor_on_a_read_only_buffer_is_not_written():
    buffers = []
    data = pickle.dumps(runtime.ones(40), protocol=5, buffer_callback=buffers.append)
    frozen = bytes(buffers[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = pickle.loads(data, buffers=[frozen])
    assert x.sum() == 40
    with pytest.raises(RuntimeError, match="read-only"):
        x.zero_()
    y = rebuilt(x.clone(), 5)
    assert y.zero_().sum() == 0


def test_a_buffer_that_is_not_aligned_is_copied():
    x = runtime.arange(4.0)
    buffers = []
    data = pickle.dumps(x, protocol=5, buffer_callback=buffers.append)
    memory = bytearray(33)
    skew = memoryview(memory)[1:17]
    skew[:] = memoryview(buffers[0]).cast("B")
    assert pickle.loads(data, buffers=[skew]).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_attributes_and_slots_of_a_subclass_are_pickled(protocol):
    x = runtime.ones(2).as_subclass(Attributed)
    x.note = ["a"]
    x.place = 3
    y = rebuilt(x, protocol)
    assert type(y) is Attributed and y.note == ["a"] and y.place == 3 and y.tolist() == [1, 1]


def test_a_class_with_setstate_gets_the_state():
    x = runtime.ones(2).as_subclass(Slotted)
    x.note = 1
    assert rebuilt(x, 4).seen == {"note": 1}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrapper_is_pickled_with_what_it_wraps(protocol):
    x = TwoTensor(runtime.randperm(5), runtime.arange(5))
    y = rebuilt(x, protocol)
    assert type(y) is TwoTensor and y.dtype is runtime.int64 and y.shape == (5,)
    assert (y.a == x.a).all() and (y.b == x.b).all()


def test_lazy_bits_are_pickled():
    x = runtime.tensor([1 + 2j, 3j])
    conj, neg = rebuilt((x.conj(), x.conj().imag), 4)
    assert conj.is_conj() and conj.tolist() == [1 - 2j, -3j]
    assert neg.is_neg() and neg.tolist() == [-2, -3]


def test_a_meta_tensor_is_pickled_without_memory():
    x = rebuilt(runtime.empty(10**6, 10**5, device="meta").t(), 5)
    assert x.is_meta and x.shape == (10**5, 10**6) and x.stride() == (1, 10**5)


def test_hooks_are_left_out_of_a_pickle_with_a_warning():
    x = runtime.ones(2, requires_grad=True)
    x.register_hook(lambda grad: grad)
    with pytest.warns(UserWarning, match="backward hook .* on tensor will not be serialized"):
        y = rebuilt(x, 4)
    assert not y._backward_hooks
    z = runtime.ones(2, requires_grad=True)
    z.register_hook(runtime.utils.hooks.unserializable_hook(lambda grad: grad))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rebuilt(z, 4)


def test_a_shallow_copy_is_a_new_tensor_on_the_same_memory():
    x = runtime.ones(3, requires_grad=True)
    y = copy.copy(x)
    assert y is not x and y.data_ptr() == x.data_ptr() and y.requires_grad and y.is_leaf
    p = nn.Parameter(runtime.ones(2))
    p.note = 1
    q = copy.copy(p)
    assert type(q) is nn.Parameter and q.note == 1 and q.data_ptr() == p.data_ptr()


def test_a_deep_copy_keeps_sharing_strides_and_gradients():
    base = runtime.arange(6.0).view(2, 3)
    x = base.t().clone(memory_format=runtime.preserve_format).requires_grad_()
    (x * 2).sum().backward()
    memo = {}
    y, part = copy.deepcopy([x, x.detach()[1]], memo)
    assert y.stride() == x.stride() and y.grad.tolist() == x.grad.tolist() and y.grad is not x.grad
    y.detach().zero_()
    assert part.tolist() == [0, 0] and x.detach().sum() == 15


def test_only_leaves_are_copied_deeply():
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(runtime.ones(2, requires_grad=True) * 2)


def test_a_deep_copy_has_copies_of_the_attributes():
    x = runtime.ones(2).as_subclass(Copied)
    x.note = ["a"]
    y = copy.deepcopy(x)
    assert type(y) is Copied and y.note == ["a"] and y.note is not x.note
    z = runtime.ones(2)
    z.itself = z
    twin = copy.deepcopy(z)
    assert twin.itself is twin and twin is not z


def test_a_deep_copy_of_a_wrapper_is_a_leaf():
    x = TwoTensor(runtime.ones(2), runtime.zeros(2)).requires_grad_()
    y = copy.deepcopy(x)
    assert type(y) is TwoTensor and y.requires_grad and y.is_leaf and y.a is not x.a
    with runtime.enable_grad():
        copy.deepcopy(x)
        assert runtime.is_grad_enabled()


def test_a_module_is_copied_and_pickled_with_its_shared_parameters():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    for twin in (copy.deepcopy(net), *(rebuilt(net, protocol) for protocol in PROTOCOLS)):
        assert twin[1].weight is twin[0].weight is not net[0].weight
        assert runtime.equal(twin(runtime.ones(1, 2)), net(runtime.ones(1, 2)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_values_keep_their_identity_or_state(protocol):
    for value in (runtime.float32, runtime.strided, runtime.preserve_format, runtime.ops.aten.add.Tensor, runtime.ops.aten.add):
        assert rebuilt(value, protocol) is value is copy.deepcopy(value)
    assert rebuilt(runtime.device("meta"), protocol) == runtime.device("meta")
    size = rebuilt(runtime.Size([1, 2]), protocol)
    assert type(size) is runtime.Size and size == (1, 2)
    generator = runtime.Generator().manual_seed(3)
    runtime.rand(1, generator=generator)
    twin = rebuilt(generator, protocol)
    assert runtime.equal(runtime.rand(3, generator=twin), runtime.rand(3, generator=generator))


STORAGE = runtime.zeros(4).untyped_storage()


@pytest.mark.parametrize(
    "args",
    [
        (None, runtime.float32, 0, (1,), (1,), False),
        (STORAGE, None, 0, (1,), (1,), False),
        (STORAGE, runtime.float32, 0, (5,), (1,), False),
        (STORAGE, runtime.float32, 1, (4,), (1,), False),
        (STORAGE, runtime.float32, 2**62, (1,), (1,), False),
        (STORAGE, runtime.float32, -1, (1,), (1,), False),
        (STORAGE, runtime.float32, 0, (-1,), (1,), False),
        (STORAGE, runtime.float32, 0, (2,), (-1,), False),
        (STORAGE, runtime.float32, 0, (2,), (2**62,), False),
        (STORAGE, runtime.float32, 0, (2**62, 4), (0, 0), False),
        (STORAGE, runtime.float32, 0, (1,) * 65, (1,) * 65, False),
        (STORAGE, runtime.float32, 0, (1, 1), (1,), False),
        (STORAGE, runtime.float32, 0, None, (1,), False),
        (STORAGE, runtime.float32, 0, ("1",), (1,), False),
        (STORAGE, runtime.int32, 0, (1,), (1,), True),
        (STORAGE, runtime.float32, 0, (1,), (1,), False, 1),
        (STORAGE, runtime.float32, 0, (1,), (1,), False, 4),
        (STORAGE, runtime.float32, 2**70, (1,), (1,), False),
    ],
)
def test_arguments_of_a_pickle_that_describe_no_tensor_are_refused(args):
    with pytest.raises((ValueError, TypeError, RuntimeError, OverflowError)):
        _core._rebuild_tensor(*args)


def test_an_empty_tensor_with_a_far_offset_cannot_reach_memory():
    x = _core._rebuild_tensor(STORAGE, runtime.float32, 2**61, (0,), (1,), False)
    assert x.sum() == 0
    with pytest.raises(RuntimeError):
        x.resize_(4)
    with pytest.raises(RuntimeError):
        x.as_strided((1,), (1,)).sum()


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (_core._rebuild_from_type, (lambda: 3, runtime.Tensor, (), None)),
        (_core._rebuild_from_type, (lambda: runtime.ones(1), int, (), None)),
        (_core._rebuild_from_type, (lambda: runtime.ones(1), runtime.Tensor, (), (1, 2, 3))),
        (_core._rebuild_from_type, (lambda: runtime.ones(1), runtime.Tensor, (), 5)),
        (_core._rebuild_wrapper, (runtime.Tensor, 3, (1,), (1,), 0, None, None, False)),
        (_core._rebuild_wrapper, (int, runtime.float32, (1,), (1,), 0, runtime.strided, runtime.device("cpu"), False)),
        (_core._storage_over, (3,)),
        (_core._storage_over, (memoryview(b"12345678")[::2],)),
        (_core._rebuild_storage, (-1, "cpu")),
        (_core._rebuild_storage, (3, "nowhere")),
        (_core._rebuild_generator, (b"short",)),
    ],
)
def test_other_arguments_of_a_pickle_are_checked(function, args):
    with pytest.raises((ValueError, TypeError, RuntimeError, AttributeError)):
        function(*args)


def programs(m, two_tensor):
    """What copies and pickles are like, in values that can be compared."""

    def described(x):
        return (x.tolist(), x.stride(), x.storage_offset(), str(x.dtype), x.requires_grad, x.is_leaf, None if x.grad is None else x.grad.tolist())

    leaf = m.ones(2, 3, requires_grad=True)
    (leaf * 3).sum().backward()
    leaf.note = [1]
    base = m.arange(12.0).view(3, 4)
    conj = m.tensor([1 + 2j]).conj()
    parameter = m.nn.Parameter(m.ones(2))
    parameter.note = 1
    wrapper = two_tensor(m.ones(2), m.zeros(2)).requires_grad_()
    for x in (leaf, base.t(), base[1:, ::2], base.expand(2, 3, 4), conj, parameter, m.tensor(3), m.zeros(0, 3)):
        for make in (copy.deepcopy, copy.copy, lambda value: pickle.loads(pickle.dumps(value))):
            y = make(x)
            yield type(y).__name__, described(y), y.is_conj(), getattr(y, "note", None), y.untyped_storage().nbytes() == x.untyped_storage().nbytes()
    for make in (copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        y = make(wrapper)
        yield type(y).__name__, y.requires_grad, y.is_leaf, y.a.tolist(), y.b.tolist()
    a, b = copy.deepcopy((base, base[1:]))
    yield a.add_(1).sum().item(), b.sum().item()
    yield copy.copy(base).data_ptr() == base.data_ptr()


@pytest.mark.oracle
def test_copies_and_pickles_are_pytorchs():
    torch = pytest.importorskip("torch")
    from torch.testing._internal.two_tensor import TwoTensor as TheirTwoTensor

    ours = [str(x).replace("torch.", "") for x in programs(runtime, TwoTensor)]
    theirs = [str(x).replace("torch.", "") for x in programs(torch, TheirTwoTensor)]
    assert ours == theirs


@pytest.mark.parametrize("module", [nn.functional, runtime.special, runtime.linalg, runtime.fft, runtime])
def test_pickles_name_every_public_function(module):
    for name in dir(module):
        function = getattr(module, name)
        if not name.startswith("_") and callable(function) and not isinstance(function, type):
            assert pickle.loads(pickle.dumps(function)) is function, name


def test_named_results_are_pickled_by_their_type():
    result = runtime.tensor([[1.0, 2.0]]).max(1)
    found = pickle.loads(pickle.dumps(result))
    assert type(found) is type(result) is runtime.return_types.max and found.values.tolist() == [2.0]
    assert runtime.return_types.linalg_slogdet.n_fields == 2
    with pytest.raises(AttributeError, match="no operator 'add' returns a named result"):
        _ = runtime.return_types.add
