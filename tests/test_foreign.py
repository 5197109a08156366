"""Foreign arrays as operator arguments: raw where the kernel takes them, wrapped without a copy everywhere else."""

import gc
import sys
import types

import numpy as np
import pytest

import runtime
from runtime._core import _IncludeDispatchKeyGuard, _set_strict_arrays
from runtime.library import _scoped_library
from tests.libraries import op_of

RESULT = runtime.zeros(1)


class Seen(list):
    def __call__(self, *args):
        self.append(args)
        return RESULT


def test_a_kernel_that_accepts_foreign_arrays_gets_them_as_they_are(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor x, Tensor? y, int n=1) -> Tensor", seen, accepts_foreign=True)
    a = np.ones(3)
    op(a, None)
    op(a, a)
    assert seen[0][0] is a and seen[1][1] is a


def test_a_kernel_that_does_not_accept_them_gets_a_tensor_on_the_same_memory(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", seen)
    a = np.ones(3)
    op(a)
    tensor = seen[0][0]
    assert type(tensor) is runtime.Tensor
    a[0] = 5
    assert tensor.tolist() == [5.0, 1.0, 1.0]
    assert np.shares_memory(tensor.numpy(), a)


def test_one_tensor_among_the_arguments_makes_all_of_them_tensors(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor x, Tensor y) -> Tensor", seen, accepts_foreign=True)
    op(np.ones(3), runtime.ones(3))
    op(runtime.ones(3), np.ones(3))
    assert all(type(x) is runtime.Tensor for args in seen for x in args)


def test_a_key_above_the_backend_makes_them_tensors(lib):
    seen, above = Seen(), Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", seen, accepts_foreign=True)
    lib.impl("f", above, "TESTING_ONLY_GenericMode")
    with _IncludeDispatchKeyGuard("TESTING_ONLY_GenericMode"):
        op(np.ones(3))
    assert not seen and type(above[0][0]) is runtime.Tensor


def test_arrays_in_lists_are_wrapped(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor[] x) -> Tensor", seen, accepts_foreign=True)
    op([np.ones(2), runtime.ones(2)])
    assert [type(x) for x in seen[0][0]] == [runtime.Tensor, runtime.Tensor]


def test_built_in_operators_and_functions_take_arrays_and_return_tensors():
    a = np.arange(4, dtype=np.float32)
    assert runtime.ops.aten.add.Tensor(a, a).tolist() == [0.0, 2.0, 4.0, 6.0]
    assert type(runtime.relu(a)) is runtime.Tensor
    assert runtime.cat([a, runtime.ones(1)]).shape == (5,)


def test_dtypes_map_to_ours(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", seen)
    for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "float32", "float64", "complex64"):
        op(np.ones(2, dtype=name))
        assert seen[-1][0].dtype == getattr(runtime, name)


def unshareable():
    unaligned = np.frombuffer(b"x" + np.arange(3.0).tobytes(), np.uint8)[1:].view(np.float64)
    return [np.arange(3.0)[::-1], np.arange(3, dtype=">f8")[::-1], unaligned[::-1]]


def test_arrays_that_no_tensor_can_lie_over_are_copied_where_they_are_read(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor x, Tensor[] y) -> Tensor", seen)
    t = runtime.zeros(3)
    for a in unshareable():
        op(a, [a])
        assert seen[-1][0].tolist() == seen[-1][1][0].tolist() == [2.0, 1.0, 0.0]
        assert (t + a).tolist() == runtime.add(t, a).tolist() == runtime.cat([t[:0], a]).tolist() == [2.0, 1.0, 0.0]
        assert (t == a).tolist() == [False, False, True]
        t[:] = a
        assert t.tolist() == [2.0, 1.0, 0.0]
        t.zero_()


def test_arrays_that_no_tensor_can_lie_over_are_refused_where_they_are_written():
    for a in unshareable():
        with pytest.raises((RuntimeError, ValueError)):
            runtime.ops.aten.add_(a, 1)
        with pytest.raises((RuntimeError, ValueError, TypeError)):
            runtime.ops.aten.add.out(runtime.ones(3), 1, out=a)


def test_arrays_of_dtypes_that_no_tensor_has_are_refused(lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", Seen())
    with pytest.raises(RuntimeError, match="can't convert np.ndarray of type numpy.object_"):
        op(np.array([object()]))


class Array:
    """An array type of another library."""

    def __init__(self, values):
        self.values = np.asarray(values)


def test_a_registered_type_stands_for_tensors(lib):
    runtime.register_array_type(Array, runtime.DispatchKeySet("CPU"), lambda a: runtime.from_numpy(a.values))
    seen = Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", seen, accepts_foreign=True)
    g = op_of(lib, "g(Tensor x) -> Tensor", seen)
    array = Array([1.0, 2.0])
    op(array)
    g(array)
    assert seen[0][0] is array and seen[1][0].tolist() == [1.0, 2.0]


def test_a_key_set_function_is_asked_for_each_array(lib):
    class Placed(Array):
        key = "CPU"

    runtime.register_array_type(Placed, lambda a: runtime.DispatchKeySet(a.key), lambda a: runtime.from_numpy(a.values))
    cpu, private = Seen(), Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", cpu, accepts_foreign=True)
    lib.impl("f", private, "PrivateUse1", accepts_foreign=True)
    here, there = Placed([1.0]), Placed([2.0])
    there.key = "PrivateUse1"
    op(here), op(there)
    assert cpu[0][0] is here and private[0][0] is there


def test_an_unregistered_type_is_refused_with_the_operators_name(lib):
    class Unknown:
        pass

    op = op_of(lib, "f(Tensor x) -> Tensor", Seen(), accepts_foreign=True)
    with pytest.raises(RuntimeError, match=rf"{lib.ns}::f\(\) Expected a value of type 'Tensor' for argument 'x'"):
        op(Unknown())


def test_a_wrong_key_set_function_is_refused():
    with pytest.raises(TypeError, match="keyset_fn"):
        runtime.register_array_type(Array, 3)


def test_other_arguments_are_converted_in_a_raw_call(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor x, float a, int[] n) -> Tensor", seen, accepts_foreign=True)
    a = np.ones(3)
    op(a, 2, [1, 2])
    assert seen[0][0] is a and type(seen[0][1]) is float and seen[0][2] == [1, 2]
    with pytest.raises(RuntimeError, match="argument 'a'"):
        op(a, "two", [1])


def test_a_raw_kernel_may_return_arrays_but_only_in_a_raw_call(lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", lambda x: np.asarray([1.0]), accepts_foreign=True)
    pair = op_of(lib, "g(Tensor x) -> (Tensor, Tensor)", lambda x: [x, x], accepts_foreign=True)
    a = np.ones(1)
    assert type(op(a)) is np.ndarray
    assert pair(a)[0] is a
    with pytest.raises(RuntimeError, match="Unable to cast"):
        op(runtime.ones(1))


def test_a_kernel_above_the_backends_never_gets_arrays(lib):
    seen, above = Seen(), Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", seen, accepts_foreign=True)
    lib.impl("f", above, "TESTING_ONLY_GenericMode", accepts_foreign=True)
    with _IncludeDispatchKeyGuard("TESTING_ONLY_GenericMode"):
        op(np.ones(3))
    assert not seen and type(above[0][0]) is runtime.Tensor


def test_redispatch_hands_over_tensors_since_its_key_set_is_not_the_arrays(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", seen, accepts_foreign=True)
    op.default.redispatch(runtime.DispatchKeySet("CPU"), np.ones(3))
    assert type(seen[0][0]) is runtime.Tensor


def test_a_built_in_kernel_beside_a_raw_one_gets_tensors():
    library = runtime.Library("aten", "IMPL")
    seen = Seen()
    library.impl("sin", seen, "PrivateUse1", accepts_foreign=True)
    try:
        assert runtime.ops.aten.sin(np.zeros(2)).tolist() == [0.0, 0.0]
        assert runtime.sin(np.zeros(2)).tolist() == [0.0, 0.0]
        assert runtime.ops.aten.sin.default.redispatch(runtime.DispatchKeySet("CPU"), np.zeros(2)).tolist() == [0.0, 0.0]
    finally:
        library._destroy()
    assert not seen


def test_subclasses_of_a_registered_type_are_other_types(lib):
    class Sub(np.ndarray):
        pass

    op = op_of(lib, "f(Tensor x) -> Tensor", Seen(), accepts_foreign=True)
    with pytest.raises(RuntimeError, match="instead found type 'Sub'"):
        op(np.ones(2).view(Sub))


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_a_read_only_array_is_raw_or_shared_as_it_is(lib):
    seen = Seen()
    raw = op_of(lib, "f(Tensor x) -> Tensor", seen, accepts_foreign=True)
    wrapped = op_of(lib, "g(Tensor x) -> Tensor", seen)
    a = np.ones(2)
    a.flags.writeable = False
    raw(a), wrapped(a)
    assert seen[0][0] is a and not seen[1][0].numpy().flags.writeable


def test_a_raw_kernel_takes_arrays_that_no_tensor_can_show(lib):
    seen = Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", seen, accepts_foreign=True)
    for a in (np.ones(3)[::-1], np.array([object()]), np.ones(2, dtype=">f4")):
        op(a)
        assert seen[-1][0] is a


def test_what_a_wrap_or_key_set_function_raises_or_returns_is_checked(lib):
    class Broken(Array):
        pass

    op = op_of(lib, "f(Tensor x) -> Tensor", Seen(), accepts_foreign=True)
    plain = op_of(lib, "g(Tensor x) -> Tensor", Seen())

    def fail(array):
        raise KeyError("mine")

    runtime.register_array_type(Broken, fail, lambda a: 3)
    with pytest.raises(KeyError, match="mine"):
        op(Broken([1.0]))
    with pytest.raises(RuntimeError, match="must return a Tensor, not int"):
        plain(Broken([1.0]))
    runtime.register_array_type(Broken, lambda a: 3, lambda a: 3)
    with pytest.raises(TypeError, match="must return a DispatchKeySet, not int"):
        op(Broken([1.0]))


def test_wrong_registrations_are_refused():
    keys = runtime.DispatchKeySet("CPU")
    with pytest.raises(TypeError):
        runtime.register_array_type("Array", keys)
    with pytest.raises(TypeError, match="wrap"):
        runtime.register_array_type(Array, keys, 3)
    with pytest.raises(TypeError, match="no array type"):
        runtime.register_array_type(runtime.Tensor, keys)


def test_the_array_type_of_an_imported_cupy_has_the_key_cuda(lib, monkeypatch):
    class ndarray:
        pass

    cpu, cuda = Seen(), Seen()
    op = op_of(lib, "f(Tensor x) -> Tensor", cpu, accepts_foreign=True)
    lib.impl("f", cuda, "CUDA", accepts_foreign=True)
    with pytest.raises(RuntimeError, match="instead found type 'ndarray'"):
        op(ndarray())
    module = types.ModuleType("cupy")
    module.ndarray = ndarray
    monkeypatch.setitem(sys.modules, "cupy", module)
    array = ndarray()
    op(array)
    assert cuda[0][0] is array and not cpu


def test_the_strict_rule_refuses_arrays_everywhere(lib):
    op = op_of(lib, "f(Tensor x, Tensor[] y) -> Tensor", Seen(), accepts_foreign=True)
    raw = op_of(lib, "g(Tensor x) -> Tensor", Seen(), accepts_foreign=True)
    a, t = np.ones(2), runtime.ones(2)
    _set_strict_arrays(True)
    try:
        with pytest.raises(RuntimeError, match="instead found type 'ndarray'"):
            raw(a)
        with pytest.raises(RuntimeError):
            op(t, [a])
        with pytest.raises(TypeError):
            runtime.add(a, t)
    finally:
        _set_strict_arrays(False)


def test_foreign_calls_leak_nothing(lib):
    raw = op_of(lib, "f(Tensor x) -> Tensor", lambda x: x, accepts_foreign=True)
    wrapped = op_of(lib, "g(Tensor x) -> Tensor", lambda x: x)
    a = np.ones(3)
    for _ in range(100):
        raw(a), wrapped(a)
    gc.collect()
    blocks, count = sys.getallocatedblocks(), sys.getrefcount(a)
    for _ in range(5000):
        raw(a), wrapped(a)
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 50 and sys.getrefcount(a) == count


def test_lists_of_arrays_reach_the_kernel_raw_as_arrays_do():
    with _scoped_library("foreign_lists", "DEF") as library:
        library.define("kinds(Tensor[] x, Tensor? y=None) -> str")
        library.define("some(Tensor?[] x) -> str")
        kernel = lambda x, y=None: " ".join(type(t).__name__ for t in [*x, y])  # noqa: E731
        library.impl("kinds", kernel, "CPU", accepts_foreign=True)
        library.impl("some", kernel, "CPU", accepts_foreign=True)
        a, kinds = np.ones(2), runtime.ops.foreign_lists.kinds
        assert kinds([a, a]) == "ndarray ndarray NoneType" == kinds((a, a))
        assert kinds([a], a) == "ndarray ndarray" and runtime.ops.foreign_lists.some([a, None]) == "ndarray NoneType NoneType"
        assert kinds([a, runtime.ones(1)]) == "Tensor Tensor NoneType" and kinds([a], runtime.ones(1)) == "Tensor Tensor"


# ---------------------------------------------------------------------------------------------------------- tensors of PyTorch itself


def real_torch():
    return pytest.importorskip("torch")


@pytest.mark.oracle
def test_a_tensor_of_pytorchs_is_an_operand_whose_memory_is_shared():
    torch = real_torch()
    ours, theirs = runtime.ones(3), torch.arange(3.0)
    for result in (ours + theirs, theirs + ours, runtime.add(ours, theirs), ours.add(theirs), runtime.ops.aten.add(ours, theirs)):
        assert type(result) is runtime.Tensor and result.tolist() == [1.0, 2.0, 3.0]
    assert (ours == theirs).tolist() == (theirs == ours).tolist() == [False, True, False]
    assert (theirs - ours).tolist() == [-1.0, 0.0, 1.0] and runtime.cat([ours, theirs]).shape == (6,)
    assert runtime.sin(theirs).tolist() == runtime.from_dlpack(theirs).sin().tolist()
    ours.copy_(theirs)
    ours[theirs > 1] = 7
    ours[:1] = torch.tensor([5.0])
    assert ours.tolist() == [5.0, 1.0, 7.0] and ours[torch.tensor([2])].tolist() == [7.0]
    runtime.add(ours, 0, out=runtime.asarray(theirs))
    assert theirs.tolist() == [5.0, 1.0, 7.0]


@pytest.mark.oracle
def test_data_of_pytorchs_tensors_is_taken_as_an_arrays_is():
    torch = real_torch()
    theirs = torch.ones(3)
    for shared in (runtime.asarray(theirs), runtime.as_tensor(theirs)):
        assert shared.data_ptr() == theirs.data_ptr()
    assert runtime.tensor(theirs).data_ptr() != theirs.data_ptr()


@pytest.mark.oracle
def test_what_cannot_be_mixed_with_pytorchs_tensors_says_what_to_do():
    torch = real_torch()
    for call in (lambda: runtime.ones(3) + torch.ones(3, requires_grad=True), lambda: runtime.sin(torch.ones(3, requires_grad=True)),
                 lambda: torch.sin(runtime.ones(3)), lambda: torch.ones(3).add(runtime.ones(3)),
                 lambda: torch.add(torch.ones(1), runtime.nn.Parameter(runtime.ones(1)))):  # fmt: skip
        with pytest.raises(TypeError, match="from_dlpack"):
            call()


@pytest.mark.oracle
def test_a_class_over_pytorchs_tensors_with_a_protocol_of_its_own_is_asked():
    torch = real_torch()

    class Own(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "asked"

    assert runtime.add(runtime.ones(1), torch.ones(1).as_subclass(Own)) == "asked"
