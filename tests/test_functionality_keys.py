"""Keys between autograd and the kernels: BackendSelect, Meta, the keys for tests, and devices of the user's own."""

import pytest

import runtime as rt
from runtime import _core
from runtime._core import DispatchKey, DispatchKeySet, Tensor
from runtime.compat import resolve
from tests.conformance import compare

# Where PyTorch does something else, and why that stays so.
DIFFERENT = {
    "TESTING_ONLY_GenericWrapper backward": "the engine makes the first gradient itself, and detaches none",
    "TESTING_ONLY_GenericMode backward": "the engine makes the first gradient itself, and detaches none",
    "no _copy_from": "a device without an index stays one",
    "to": "a device without an index stays one",
    "to dtype": "a device without an index stays one",
    "to of strided": "a device without an index stays one",
    "autograd": "PyTorch's engine wants a thread for each device",
}


@pytest.mark.oracle
def test_keys_and_devices_of_ones_own_are_pytorchs():
    pytest.importorskip("torch")
    compare.check("keys.py", DIFFERENT)


@pytest.mark.oracle
def test_the_same_factories_select_their_backend():
    torch = pytest.importorskip("torch")
    for name in _core._dispatch_get_all_op_names():
        if name.startswith("aten::") and torch._C._dispatch_has_kernel(name):
            ours = _core._dispatch_has_kernel_for_dispatch_key(name, "BackendSelect")
            theirs = torch._C._dispatch_has_kernel_for_dispatch_key(name, "BackendSelect")
            has_tensors = ("aten::to.dtype_layout", "aten::sparse_coo_tensor.indices", "aten::sparse_coo_tensor.indices_size")
            assert ours == theirs or name in (*has_tensors, "aten::_sparse_coo_tensor_unsafe"), name  # and needs none


def test_every_operator_has_a_meta_kernel():
    has = _core._dispatch_has_computed_kernel_for_dispatch_key
    names = [n for n in _core._dispatch_get_all_op_names() if n.startswith("aten::") and (has(n, "CPU") or not has(n, "SparseCPU"))]
    assert [n for n in names if not has(n, "Meta")] == []


# ---- the key PrivateUse1, whose device type keeps its first name here: it can be renamed once in a process


class Far(Tensor):
    """A tensor of the device, whose elements another tensor holds."""

    @staticmethod
    def __new__(cls, raw, requires_grad=False):
        made = Tensor._make_subclass(cls, _core._create_empty_tensor(raw.shape, raw.dtype), requires_grad)
        made.raw = raw
        return made

    def __init__(self, raw, requires_grad=False):
        pass


@pytest.fixture
def far():
    """Kernels of a device, and what ran."""
    lib, log = rt.Library("aten", "IMPL"), []

    def kernel(function):
        return lambda *args, **kwargs: Far(function(*(a.raw if isinstance(a, Far) else a for a in args), **kwargs))

    def copy_from(source, target, non_blocking=False):
        log.append(f"{source.device} to {target.device}")
        (target.raw if isinstance(target, Far) else target).copy_(source.raw if isinstance(source, Far) else source)
        return target

    lib.impl("mul.Tensor", kernel(rt.mul), "PrivateUse1")
    lib.impl("sum", kernel(rt.sum), "PrivateUse1")
    lib.impl("expand", kernel(lambda t, size, implicit=False: t.expand(size)), "PrivateUse1")
    lib.impl("ones_like", kernel(lambda t, **options: rt.ones_like(t)), "PrivateUse1")
    lib.impl("empty_strided", lambda size, stride, **options: Far(rt.zeros(size, dtype=options["dtype"])), "PrivateUse1")
    lib.impl("_copy_from", copy_from, "PrivateUse1")
    yield log
    lib._destroy()


def test_a_tensor_of_the_device_has_its_keys_and_no_memory():
    x = _core._create_empty_tensor((2, 3), rt.float32)
    assert (x.device, x.shape, x.stride(), x.dtype) == (rt.device("privateuseone", 0), (2, 3), (3, 1), rt.float32)
    assert _core._dispatch_keys(x).has(DispatchKey.AutogradPrivateUse1) and not x.is_cpu
    assert repr(x) == "tensor(..., device='privateuseone:0', size=(2, 3))"
    with pytest.raises(NotImplementedError, match="'PrivateUse1' backend"):
        x + x


@pytest.mark.parametrize("shape, dtype, error", [((-1,), rt.float32, RuntimeError), ((1,), "float", TypeError), ((1,) * 65, rt.int8, RuntimeError)])
def test_tensors_of_the_device_are_checked(shape, dtype, error):
    with pytest.raises(error):
        _core._create_empty_tensor(shape, dtype)


def test_copies_between_devices_are_the_devices_business(far):
    x = rt.tensor([1.0, 2.0])
    there = x.to("privateuseone:0")
    assert isinstance(there, Far) and there.raw.tolist() == [1.0, 2.0]
    assert there.cpu().tolist() == rt.zeros(2).copy_(there).tolist() == [1.0, 2.0]
    assert far == ["cpu to privateuseone:0", "privateuseone:0 to cpu", "privateuseone:0 to cpu"]


def test_autograd_runs_over_the_device(far):
    x = Far(rt.tensor([1.0, 2.0]), requires_grad=True)
    y = (x * Far(rt.tensor([3.0, 4.0]))).sum()
    y.backward()
    assert x.grad.device.type == "privateuseone" and y.grad_fn.name() == "SumBackward0"


def test_copies_on_the_cpu_have_the_kernel_of_the_cpu():
    target = rt.zeros(2)
    assert rt.ops.aten._copy_from(rt.ones(2), target) is target and target.tolist() == [1.0, 1.0]


def test_modules_of_device_types_are_registered_once():
    assert rt.get_device_module("cuda") is rt.cuda
    with pytest.raises(RuntimeError, match="does not have a corresponding module"):
        rt.get_device_module("meta")
    with pytest.raises(RuntimeError, match="already been registered"):
        resolve("torch._register_device_module")("cuda", object())
    with pytest.raises(RuntimeError, match="at start of device string: nonsense"):
        resolve("torch._register_device_module")("nonsense", object())


@pytest.mark.parametrize("name, message", [("cpu", "in-tree device name"), (3, "expects a str"), ("a b", "can stand in Python code")])
def test_names_that_a_device_type_cannot_have(name, message):
    with pytest.raises(RuntimeError, match=message):
        resolve("torch.utils.rename_privateuse1_backend")(name)


# ---- the default device


def test_a_device_is_the_default_inside_a_block():
    with rt.device("meta") as device:
        assert rt.ones(1).device == rt.nn.Linear(1, 1).weight.device == rt.get_default_device() == device
        assert rt.ones(1, device="cpu").is_cpu
        with rt.device("cpu"):
            assert rt.ones(1).is_cpu
        assert rt.tensor([1]).is_meta
    assert rt.ones(1).is_cpu and rt.get_default_device() == rt.device("cpu")


def test_the_default_device_is_set_and_reset():
    rt.set_default_device("meta")
    try:
        assert rt.ones(1).is_meta
        rt.set_default_device("cpu")
        assert rt.ones(1).is_cpu
    finally:
        rt.set_default_device(None)
    assert rt.overrides._get_current_function_mode_stack() == []


# ---- key sets for a block


def test_autocast_can_be_disabled_for_a_block():
    x = rt.ones(2, 2)
    with rt.autocast("cpu"):
        with resolve("torch._C._DisableAutocast")():
            assert (x @ x).dtype is rt.float32 and not rt.is_autocast_enabled("cpu")
        assert (x @ x).dtype is rt.bfloat16


def test_a_fallback_at_a_key_for_tests_sees_what_code_calls():
    key = _core._dispatch_key_parse("TESTING_ONLY_GenericWrapper")
    lib, seen = rt.Library("_", "IMPL"), []

    def fallback(keys, op, *args, **kwargs):
        seen.append(str(op))
        return op.redispatch(keys - DispatchKeySet(key), *args, **kwargs)

    lib.fallback(fallback, key.name, with_keyset=True)
    with _core._IncludeDispatchKeyGuard(key):
        y = rt.ones(2).mul(2).sum()
    lib._destroy()
    assert seen == ["aten.ones.default", "aten.mul.Tensor", "aten.sum.default"] and y.item() == 4
