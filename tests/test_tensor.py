"""Tensor objects: making them, their properties, Python's protocols, indexing, and their life cycle."""

import copy
import gc
import pickle
import sys
import weakref

import numpy as np
import pytest

import runtime


class Sub(runtime.Tensor):
    """A subclass without handlers."""


# --------------------------------------------------------------------------------------------------------------- making


@pytest.mark.parametrize(
    "data, dtype, values",
    [
        (1, "int64", 1),
        (1.5, "float32", 1.5),
        (True, "bool", True),
        (1j, "complex64", 1j),
        ([1, 2.5, True], "float32", [1.0, 2.5, 1.0]),
        ([True, 2], "int64", [1, 2]),
        ([1, 1j], "complex64", [1, 1j]),
        ([], "float32", []),
        (((1, 2), [3, 4]), "int64", [[1, 2], [3, 4]]),
        (range(3), "int64", [0, 1, 2]),
        ([range(2), range(2)], "int64", [[0, 1], [0, 1]]),
        (memoryview(b"ab"), "int64", [97, 98]),
        (np.float32(2), "float32", 2.0),
        ([np.int16(3)], "int16", [3]),
        ([np.float64(1.5), 2], "float64", [1.5, 2.0]),
        ([np.array([1, 2]), np.array([3, 4])], "int64", [[1, 2], [3, 4]]),
        (np.array([1, 2], dtype=np.int16), "int16", [1, 2]),
        ([runtime.tensor(1.5), 2], "float32", [1.5, 2.0]),
        ([runtime.tensor([1]), runtime.tensor([2])], "int64", [1, 2]),
    ],
)
def test_the_data_decide_the_dtype(data, dtype, values):
    t = runtime.tensor(data)
    assert t.dtype is getattr(runtime, dtype) and t.tolist() == values


@pytest.mark.parametrize(
    "data, error, message",
    [
        ([[1, 2], [3]], ValueError, r"expected sequence of length 2 at dim 1 \(got 1\)"),
        ([[1, 2], 3], TypeError, "not a sequence"),
        ([3, [1, 2]], TypeError, "cannot be interpreted as an integer"),
        ([1.5, [1, 2]], TypeError, "must be real number, not list"),
        ([None], RuntimeError, "Could not infer dtype of NoneType"),
        ({1: 2}, RuntimeError, "Could not infer dtype of dict"),
        ("a", TypeError, r"new\(\): invalid data type 'str'"),
        (["a"], ValueError, "too many dimensions 'str'"),
        ([1, "a"], TypeError, "invalid data type 'str'"),
        (2**63, ValueError, "Overflow when unpacking long long"),
        ([runtime.tensor([1, 2])], TypeError, "only integer tensors of a single element"),
    ],
)
def test_data_that_are_no_tensor_are_refused(data, error, message):
    with pytest.raises(error, match=message):
        runtime.tensor(data)


def test_lists_that_contain_themselves_are_refused():
    data = []
    data.append(data)
    with pytest.raises(ValueError, match="too many dimensions 'list'"):
        runtime.tensor(data)
    deep = [1]
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="too many dimensions"):
        runtime.tensor(deep)


def test_data_that_change_while_being_read_are_refused():
    data = [0.0] * 100

    class Shrinks:
        def __float__(self):
            data.clear()
            return 1.0

    data[1] = Shrinks()
    with pytest.raises(ValueError, match="expected sequence of length 100"):
        runtime.tensor(data, dtype=runtime.float32)


@pytest.mark.parametrize(
    "value, dtype, stored",
    [
        (2.9, "int64", 2),
        (-1, "uint8", 255),
        (0.5, "bool", True),
        (1e300, "float32", float("inf")),
        (1e6, "float16", float("inf")),
        (2**63, "uint64", 2**63),
        (3, "complex64", 3 + 0j),
    ],
)
def test_numbers_are_converted_to_the_dtype(value, dtype, stored):
    assert runtime.tensor(value, dtype=getattr(runtime, dtype)).item() == stored


@pytest.mark.parametrize(
    "value, dtype, error",
    [
        (300, "int8", RuntimeError),
        (-256, "uint8", RuntimeError),
        (1e30, "int64", RuntimeError),
        (float("nan"), "int64", RuntimeError),
        (1j, "float32", TypeError),
        (1j, "int64", TypeError),
        (2**64, "uint64", OverflowError),
        (-1, "uint64", OverflowError),
    ],
)
def test_numbers_that_do_not_fit_the_dtype_are_refused(value, dtype, error):
    with pytest.raises(error):
        runtime.tensor(value, dtype=getattr(runtime, dtype))


@pytest.mark.parametrize("dtype", [runtime.qint8, runtime.bits8, runtime.uint1])
def test_dtypes_without_elements_of_ours_are_refused(dtype):
    with pytest.raises(RuntimeError):
        runtime.tensor([1], dtype=dtype)


def test_the_class_makes_tensors_of_the_default_dtype():
    assert runtime.Tensor().shape == (0,)
    assert runtime.Tensor(2, 3).shape == runtime.Tensor(runtime.Size([2, 3])).shape == (2, 3)
    assert runtime.Tensor([1, 2]).tolist() == [1.0, 2.0]
    assert runtime.Tensor.__new__(Sub).shape == (0,)
    with pytest.raises(TypeError, match="data must be a sequence"):
        runtime.Tensor(3.5)


@pytest.mark.parametrize(
    "sizes, message",
    [
        ((-1,), r"Trying to create tensor with negative dimension -1: \[-1\]"),
        ((2**40, 2**40), r"Storage size calculation overflowed with sizes=\[1099511627776, 1099511627776\]"),
        ((2**62,), "Storage size calculation overflowed"),
        ((2**44,), "can't allocate memory: you tried to allocate 70368744177664 bytes"),
        ((0, 2**62, 2**62), "Stride calculation overflowed"),
        ((1,) * 65, "more than 64 dimensions"),
    ],
)
def test_impossible_sizes_are_refused(sizes, message):
    with pytest.raises(RuntimeError, match=message):
        runtime.Tensor(*sizes)


# ----------------------------------------------------------------------------------------------------------- properties


def test_a_tensor_describes_itself():
    t = runtime.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert t.shape == t.size() == (2, 3) and type(t.shape) is runtime.Size
    assert (t.size(0), t.size(-1), t.stride(), t.stride(-2)) == (2, 3, (3, 1), 3)
    assert (t.dim(), t.ndim, t.numel(), t.nelement(), len(t)) == (2, 2, 6, 6, 2)
    assert (t.element_size(), t.itemsize, t.nbytes, t.storage_offset()) == (4, 4, 24, 0)
    assert t.dtype is runtime.float32 and t.device == runtime.device("cpu") and t.layout is runtime.strided
    assert t.is_cpu and not (t.is_cuda or t.is_meta or t.is_sparse or t.is_quantized or t.is_conj() or t.is_neg())
    assert t.is_floating_point() and t.is_signed() and not t.is_complex() and not t.is_inference()
    assert t.get_device() == -1 and t.data_ptr() == t.untyped_storage().data_ptr() != 0
    assert (
        t._version == 0 and t._base is None and not t._is_view() and t.is_leaf and t.grad is None and t.grad_fn is None
    )


@pytest.mark.parametrize("call", [lambda t: t.size(2), lambda t: t.stride(-3), lambda t: t.size(10**9)])
def test_dimensions_out_of_range_are_index_errors(call):
    with pytest.raises(IndexError, match=r"expected to be in range of \[-2, 1\]"):
        call(runtime.tensor([[1]]))


def test_a_scalar_has_no_dimension_to_ask_for():
    with pytest.raises(IndexError, match="Dimension specified as 0 but tensor has no dimensions"):
        runtime.tensor(1).size(0)
    with pytest.raises(TypeError, match="argument 'dim'"):
        runtime.tensor([1]).size("a")


@pytest.mark.oracle
def test_contiguity_in_every_memory_format_is_pytorchs():
    torch = pytest.importorskip("torch")
    formats = ("contiguous_format", "channels_last", "channels_last_3d")
    base = np.zeros((2, 3, 4, 5))
    arrays = [
        base,
        base.transpose(0, 3, 1, 2),
        base.transpose(0, 2, 3, 1),
        base[:, :1],
        base[:, :0],
        base[:1, :1, :1, :1],
        base[0],
    ]
    arrays += [np.zeros((2, 4, 5, 6, 3)).transpose(0, 4, 1, 2, 3), np.zeros((1, 1, 1, 1, 1)), np.zeros(())]
    for array in arrays:
        ours, theirs = runtime.from_numpy(array), torch.from_numpy(array)
        assert ours.stride() == theirs.stride()
        for name in formats:
            expected = theirs.is_contiguous(memory_format=getattr(torch, name))
            assert ours.is_contiguous(memory_format=getattr(runtime, name)) == expected
    with pytest.raises(RuntimeError, match="preserve memory format is unsupported"):
        runtime.tensor(1).is_contiguous(memory_format=runtime.preserve_format)


@pytest.mark.parametrize("name", ["shape", "dtype", "device", "_version", "_base", "is_leaf", "T"])
def test_descriptions_are_read_only(name):
    with pytest.raises(AttributeError):
        setattr(runtime.tensor([1.0]), name, 3)


def test_only_floats_can_require_gradients():
    t = runtime.tensor([1.0])
    t.requires_grad = True
    assert t.requires_grad and t.requires_grad_(False) is t and not t.requires_grad
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        runtime.tensor([1]).requires_grad = True
    with pytest.raises(RuntimeError, match="requires_grad must be a bool"):
        t.requires_grad = "a"
    with pytest.raises(TypeError, match=r"requires_grad_\(\): argument 'requires_grad'"):
        t.requires_grad_(1)


def test_data_is_the_same_memory_with_a_version_of_its_own():
    t = runtime.tensor([1.0, 2.0], requires_grad=True)
    d = t.data
    assert (
        d.data_ptr() == t.data_ptr()
        and not d.requires_grad
        and d._version == 0
        and type(Sub([1]).data) is Sub
    )


def test_assigning_data_takes_over_memory_and_geometry():
    t = runtime.tensor([1.0, 2.0])
    t.data = runtime.tensor([[1, 2, 3]])
    assert t.tolist() == [[1, 2, 3]] and t.dtype is runtime.int64
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got int"):
        t.data = 3
    with pytest.raises(RuntimeError, match="incompatible tensor type"):
        t.data = runtime.tensor([1.0], device="meta")
    with pytest.raises(RuntimeError, match="Deleting tensor data is not allowed"):
        del t.data


# ------------------------------------------------------------------------------------------------------------ protocols


def test_single_elements_are_python_numbers():
    assert (
        runtime.tensor([[2.5]]).item() == 2.5 and float(runtime.tensor(2.5)) == 2.5 and int(runtime.tensor([2.7])) == 2
    )
    assert complex(runtime.tensor(1)) == 1 and bool(runtime.tensor(0.0)) is False and bool(runtime.tensor([3])) is True
    assert [1, 2][runtime.tensor(1)] == 2 and runtime.tensor(True).__index__() == 1


@pytest.mark.parametrize(
    "convert, t, error, message",
    [
        (lambda t: t.item(), [1, 2], RuntimeError, "a Tensor with 2 elements cannot be converted to Scalar"),
        (float, [1, 2], ValueError, "only one element tensors can be converted to Python scalars"),
        (bool, [1, 2], RuntimeError, "Boolean value of Tensor with more than one value is ambiguous"),
        (bool, [], RuntimeError, "Boolean value of Tensor with no values is ambiguous"),
        (lambda t: t.__index__(), 1.5, TypeError, "only integer tensors of a single element"),
        (int, float("nan"), ValueError, "cannot convert float NaN to integer"),
        (float, 1j, RuntimeError, "value cannot be converted to type double without overflow"),
        (len, 1, TypeError, r"len\(\) of a 0-d tensor"),
        (iter, 1, TypeError, "iteration over a 0-d tensor"),
        (lambda t: "a" in t, [1], RuntimeError, "only supports Tensor or scalar, but you passed in a <class 'str'>"),
    ],
)
def test_conversions_that_make_no_sense_are_refused(convert, t, error, message):
    with pytest.raises(error, match=message):
        convert(runtime.tensor(t))


def test_meta_tensors_have_no_elements_to_read():
    t = runtime.tensor([1.0], device="meta")
    assert t.shape == (1,) and t.is_meta and t.data_ptr() == 0
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        t.tolist()
    for read in (t.item,):
        with pytest.raises(RuntimeError, match="cannot be called on meta tensors"):
            read()


def test_tensors_hash_by_identity_and_live_in_dictionaries():
    a, b = runtime.tensor([1.0]), runtime.tensor([1.0])
    assert hash(a) == hash(a) and {a: 1, b: 2}[a] == 1
    assert {Sub([1]): 1}


def test_scalars_format_like_numbers():
    assert f"{runtime.tensor(1.5):.3f}" == "1.500"
    with pytest.raises(TypeError, match="unsupported format string passed to Tensor.__format__"):
        format(runtime.tensor([1.5]), ".3f")


def test_iteration_reversal_and_membership():
    t = runtime.tensor([1, 2, 3])
    assert [x.item() for x in t] == [1, 2, 3] and reversed(t).tolist() == [3, 2, 1]
    assert 3 in t and 4 not in t


def test_transposes():
    t = runtime.tensor([[1, 2, 3], [4, 5, 6]])
    assert t.T.tolist() == t.mT.tolist() == t.H.tolist() == t.mH.tolist() == [[1, 4], [2, 5], [3, 6]]
    with pytest.raises(
        RuntimeError, match="tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor."
    ):
        runtime.tensor([1]).mT  # noqa: B018
    with pytest.raises(RuntimeError, match="tensor.H is only supported on matrices"):
        runtime.tensor([1]).H  # noqa: B018


# ------------------------------------------------------------------------------------------------------------- indexing

INDICES = (
    """
0|-1|2|(0,1)|True|False|(slice(None),None)|(...,0)|(0,...)|(0,...,...)|(0,1,2)|5|(0,7)|None|slice(None,None,2)
slice(None,None,-1)|slice(None,None,0)
slice(100,None)|slice(-100,2)|()|1.5|2**70|slice(0,2**70)|slice('a',None)|...|(...,None)
{}|(slice(1,3),slice(0,2))|-4|(0,-5)|'a'
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("index", INDICES)
def test_indices_make_the_views_that_pytorch_makes(index):
    torch = pytest.importorskip("torch")
    results = []
    for module in (runtime, torch):
        x = module.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
        try:
            y = x[eval(index)]
            results.append(
                (y.tolist(), tuple(y.shape), y.stride(), y.storage_offset() if index not in ("True", "False") else 0)
            )
        except Exception as error:
            results.append((type(error).__name__, str(error).splitlines()[0]))
    assert results[0] == results[1]


ASSIGNMENTS = """y[0]=1|y[0]=t([1,2,3,4])|y[0]=t([[1,2,3,4]])|y[0]=1.5|y[0]='a'|y[0]=[1,2,3,4]|y[0]=None|y[...]=3
y[0,0]=True|y[9]=1|y[0]=2**70|y[:,1]=t([7,8,9])|y[False]=3|y[1:,::2]=0|y[None]=5""".replace("\n", "|").split("|")


@pytest.mark.oracle
@pytest.mark.parametrize("statement", ASSIGNMENTS)
def test_assignments_write_what_pytorch_writes(statement):
    torch = pytest.importorskip("torch")
    results = []
    for module in (runtime, torch):
        y = module.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
        try:
            exec(statement, {"y": y, "t": module.tensor})
            results.append(y.tolist())
        except Exception as error:
            results.append((type(error).__name__, str(error).splitlines()[0]))
    assert results[0] == results[1]


@pytest.mark.oracle
def test_masks_take_one_place_among_the_indices_and_all_their_dimensions():
    torch = pytest.importorskip("torch")

    def shown(m):
        x = m.arange(120).reshape(3, 4, 2, 5)
        mask, places, yes = m.tensor([[True, False, True, False]] * 3), m.tensor([0, 1, 0, 1, 0, 1]), m.tensor(True)
        indices = [
            (mask, slice(None), places), (mask, True), (mask, True, slice(None)), (mask, True, 0), (mask, yes, slice(None), 1), (mask, None),
            (mask, None, places), (mask, places * 0), (mask, ..., places), (mask, 1, places), (mask, None, True), (True, mask),
            (mask, slice(None), True), (slice(None), mask[0], True),
        ]  # fmt: skip
        for index in indices:
            yield x[index].tolist()
            y = x.clone()
            y[index] = -1
            yield y.tolist()

    assert list(shown(runtime)) == list(shown(torch))


def test_an_index_makes_a_view_that_knows_its_base():
    t = runtime.tensor([[1.0, 2.0], [3.0, 4.0]])
    row = t[1]
    assert row._base is t and row[0]._base is t and row._is_view()
    row[0] = 9
    assert t.tolist() == [[1, 2], [9, 4]] and t._version == row._version == 1


# --------------------------------------------------------------------------------------------------- copies and pickles


@pytest.mark.parametrize("make", [lambda t: pickle.loads(pickle.dumps(t)), copy.deepcopy])
def test_copies_keep_geometry_dtype_attributes_and_class(make):
    array = np.arange(12.0).reshape(3, 4).T[1:]
    for t in (
        runtime.from_numpy(array),
        runtime.tensor([1.5], dtype=runtime.bfloat16),
        runtime.tensor([1.0], requires_grad=True),
    ):
        t.note = ["x"]
        other = make(t)
        assert other.tolist() == t.tolist() and other.stride() == t.stride() and other.dtype is t.dtype
        assert other.requires_grad == t.requires_grad and other.note == ["x"] and other.note is not t.note
        assert other.data_ptr() != t.data_ptr()


class Picklable(runtime.Tensor):
    """At module level, where pickle finds it."""

    def new_empty(self, *args, **kwargs):
        return super().new_empty(*args, **kwargs).as_subclass(type(self))


def test_subclasses_are_copied_as_subclasses():
    t = Picklable([1.0, 2.0])
    t.note = 3
    with pytest.raises(RuntimeError, match="for which that function returns another instance of the same subclass"):
        copy.deepcopy(runtime.tensor([1.0]).as_subclass(Sub))
    for other in (copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        assert type(other) is Picklable and other.note == 3 and other.tolist() == [1.0, 2.0]


def test_deep_copies_share_what_was_shared():
    t = runtime.tensor([1.0])
    a, b = copy.deepcopy([t, t])
    assert a is b


def test_a_forged_pickle_cannot_reach_outside_its_storage():
    from runtime import _core

    storage = runtime.UntypedStorage(8)
    for offset, sizes, strides in (
        (0, (3,), (1,)),
        (2, (1,), (1,)),
        (-1, (1,), (1,)),
        (0, (2,), (-1,)),
        (0, (2,), (2**62,)),
        (0, (2,), ()),
    ):
        with pytest.raises((ValueError, RuntimeError)):
            _core._rebuild_tensor(storage, runtime.float32, offset, sizes, strides, False)


# ----------------------------------------------------------------------------------------------------------- life cycle


@pytest.mark.parametrize("cls", [runtime.Tensor, Sub])
def test_tensors_in_cycles_are_collected(cls):
    t = cls([1.0])
    t.me = [t]
    reference = weakref.ref(t)
    del t
    assert reference() is not None
    gc.collect()
    assert reference() is None


def test_a_cycle_through_the_attributes_dictionary_is_collected():
    for assign in (False, True):
        t = runtime.tensor([1.0])
        attributes = {} if assign else t.__dict__
        if assign:
            t.__dict__ = attributes
        attributes["me"] = t
        reference = weakref.ref(t)
        del t, attributes
        gc.collect()
        assert reference() is None


def test_a_cycle_through_a_view_is_collected():
    t = runtime.tensor([1.0, 2.0])
    t.view_of_me = t[0]
    reference = weakref.ref(t)
    del t
    gc.collect()
    assert reference() is None


def test_plain_tensors_are_invisible_to_the_collector_until_they_can_be_in_a_cycle():
    t = runtime.tensor([1.0])
    assert not gc.is_tracked(t)
    t.x = 1
    assert gc.is_tracked(t)


def test_weak_references_call_back_once_and_recycled_tensors_start_clean():
    calls = []
    for _ in range(3):
        t = runtime.tensor([1.0])
        assert t.__dict__ == {} and t._version == 0 and not t.requires_grad
        reference = weakref.ref(t, lambda r: calls.append(1))
        t.x, t.requires_grad = 1, True
        del t
        assert reference() is None
    assert len(calls) == 3


def test_a_finalizer_can_bring_a_subclass_instance_back():
    saved = []

    class Phoenix(runtime.Tensor):
        def __del__(self):
            saved.append(self)

    t = Phoenix([1.0, 2.0])
    t.x = 5
    del t
    (t,) = saved
    assert t.tolist() == [1.0, 2.0] and t.x == 5


def test_subclasses_with_slots_and_free_lists_do_not_mix():
    class Slotted(runtime.Tensor):
        __slots__ = ("extra",)

    for _ in range(1000):
        plain, slotted = runtime.tensor([1.0]), Slotted([2.0])
        slotted.extra = plain
        assert type(plain) is runtime.Tensor and slotted.tolist() == [2.0]


def test_classes_of_dead_tensors_are_freed():
    def make():
        class Local(runtime.Tensor):
            pass

        Local([1.0]).x = 1
        return weakref.ref(Local)

    reference = make()
    gc.collect()
    assert reference() is None


def test_a_long_chain_of_tensors_in_attributes_is_freed_without_deep_recursion():
    for cls in (runtime.Tensor, Sub):
        t = cls([1.0])
        for _ in range(100_000):
            other = cls([1.0])
            other.next = t
            t = other
        del t, other


def test_many_dimensions_live_on_the_heap():
    for n in (5, 6, 7, 64):
        t = runtime.Tensor(*[1] * n)
        assert t.shape == (1,) * n and t.data.stride() == (1,) * n


def test_making_and_dropping_tensors_leaks_nothing():
    def work(n):
        for _ in range(n):
            t = runtime.tensor([1.0, 2.0])
            d = t.data
            d.numpy()
            t.untyped_storage()
            t.x = d
            Sub([1.0]).y = t
            runtime.tensor([[[[[[1]]]]]])
            try:
                runtime.tensor([[1], [1, 2]])
            except ValueError:
                pass

    work(1000)
    gc.collect()
    before = sys.getallocatedblocks()
    work(20_000)
    gc.collect()
    assert sys.getallocatedblocks() - before < 500


@pytest.mark.slow
def test_a_million_tensors_leave_memory_as_it_was():
    import resource

    for _ in range(10_000):
        runtime.tensor([1.0] * 100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1_000_000):
        runtime.tensor([1.0] * 100)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096


def test_attributes_belong_to_one_tensor():
    a, b = runtime.ones(2), runtime.ones(2)
    assert a.__dict__ == {} == b.__dict__
    a.note = 1
    assert not hasattr(b, "note") and not hasattr(runtime.ones(2), "note")
    assert a.__dict__ == {"note": 1}
    del a.note
    assert a.__dict__ == {} and a.__dict__ is not runtime.ones(2).__dict__
    b.__dict__ = {"x": 2}
    assert b.x == 2 and not hasattr(a, "x")
    with pytest.raises(TypeError):
        del runtime.ones(2).__dict__
    with pytest.raises(AttributeError):
        del runtime.ones(2).missing


def test_a_method_is_found_after_attributes_come_and_go():
    def dims(tensors):
        return [t.dim() for t in tensors]

    plain, noted = runtime.ones(2, 3), runtime.ones(2)
    noted.dim = lambda: "mine"
    for _ in range(50):
        assert dims([plain, noted, runtime.ones(())]) == [2, "mine", 0]


def test_a_cycle_through_an_attribute_and_a_view_is_collected():
    a = runtime.ones(4)
    a.view_of_me = a.view(2, 2)
    gone = weakref.ref(a)
    del a
    gc.collect()
    assert gone() is None


def test_a_mask_of_bytes_warns_once_a_call():
    x, mask = runtime.tensor([1, 2, 3]), runtime.tensor([1, 0, 1], dtype=runtime.uint8)
    with pytest.warns(UserWarning, match="dtype torch.uint8 is now deprecated") as caught:
        assert x[mask].tolist() == [1, 3]
    assert len(caught) == 1
