"""Foreign arrays as operator arguments: raw where the kernel takes them, wrapped without a copy everywhere else."""

import numpy as np
import pytest

import runtime
from runtime._core import _IncludeDispatchKeyGuard

_count = iter(range(10**6))


@pytest.fixture
def lib():
    library = runtime.Library(f"foreign{next(_count)}", "DEF")
    yield library
    library._destroy()


def op_of(library, schema, kernel, key="CPU", **options):
    name = library.define(schema)
    library.impl(name, kernel, key, **options)
    return getattr(getattr(runtime.ops, library.ns), name)


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


def test_arrays_that_no_tensor_can_show_are_refused(lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", Seen())
    with pytest.raises(ValueError, match="negative"):
        op(np.ones(3)[::-1])
    with pytest.raises(RuntimeError, match="can't convert np.ndarray of type numpy.object_"):
        op(np.array([object()]))
    with pytest.raises((RuntimeError, ValueError)):
        op(np.ones(2, dtype=">f4"))


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
