"""DLPack both ways: memory shared and kept alive, the flags of version 1, and capsules that lie."""

import ctypes
import gc
import weakref

import numpy as np
import pytest

import runtime
from runtime import _core, compat

NUMPY_DTYPES = (
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
)


# ------------------------------------------------------------------------------------------- DLPack's structures, for capsules by hand


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64),
    ]  # fmt: skip


Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = [("tensor", DLTensor), ("context", ctypes.c_void_p), ("deleter", Deleter)]


class ManagedVersioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p), ("deleter", Deleter),
        ("flags", ctypes.c_uint64), ("tensor", DLTensor),
    ]  # fmt: skip


_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


class Producer:
    """A producer of float32 elements, written by hand; it counts the calls of its deleter."""

    def __init__(self, shape=(3,), strides=None, versioned=True, **fields):
        self.memory = (ctypes.c_float * 16)(*range(16))
        self.deleted = 0
        self.managed = (ManagedVersioned if versioned else Managed)()
        self.name = b"dltensor_versioned" if versioned else b"dltensor"
        self.deleter = Deleter(self._delete)
        self.managed.deleter = self.deleter
        if versioned:
            self.managed.major = fields.pop("major", 1)
            self.managed.flags = fields.pop("flags", 0)
        t = self.managed.tensor
        t.data, t.device_type, t.code, t.bits, t.lanes = ctypes.addressof(self.memory), 1, 2, 32, 1
        t.ndim = len(shape)
        self.shape = (ctypes.c_int64 * max(len(shape), 1))(*shape)
        t.shape = self.shape
        if strides is not None:
            self.strides = (ctypes.c_int64 * max(len(strides), 1))(*strides)
            t.strides = self.strides
        for name, value in fields.items():
            setattr(t, name, value)

    def _delete(self, _):
        self.deleted += 1

    def capsule(self):
        return _new(ctypes.addressof(self.managed), self.name, None)


def exported(t, **options):
    """The structure in a tensor's capsule, and the capsule."""
    capsule = t.__dlpack__(**options)
    if options.get("max_version") is None:
        return Managed.from_address(_pointer(capsule, b"dltensor")), capsule
    return ManagedVersioned.from_address(_pointer(capsule, b"dltensor_versioned")), capsule


# ------------------------------------------------------------------------------------------------------------------------ sharing


@pytest.mark.parametrize("name", NUMPY_DTYPES)
def test_memory_is_shared_with_numpy_both_ways(name):
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(name).T
    t = runtime.from_dlpack(array)
    assert t.dtype is getattr(runtime, name) and t.stride() == (1, 3) and np.shares_memory(t.numpy(), array)
    assert np.shares_memory(np.from_dlpack(t), array)
    assert t.__dlpack_device__() == (1, 0)


def test_what_one_side_writes_the_other_reads():
    array = np.zeros(3)
    t = runtime.from_dlpack(array)
    t[0] = 5
    array[1] = 7
    assert array.tolist() == t.tolist() == [5.0, 7.0, 0.0]
    back = np.from_dlpack(t)
    assert back.flags.writeable
    back[2] = 9
    assert t.tolist() == array.tolist() == [5.0, 7.0, 9.0]


@pytest.mark.parametrize(
    "name, code, bits",
    [
        ("bool", 6, 8), ("bfloat16", 4, 16), ("complex32", 5, 32), ("complex128", 5, 128), ("float8_e4m3fn", 10, 8),
        ("float8_e4m3fnuz", 11, 8), ("float8_e5m2", 12, 8), ("float8_e5m2fnuz", 13, 8), ("float8_e8m0fnu", 14, 8), ("uint16", 1, 16),
    ],
)  # fmt: skip
def test_dtypes_have_dlpacks_codes_and_come_back(name, code, bits):
    t = runtime.zeros(2, dtype=getattr(runtime, name))
    managed, capsule = exported(t, max_version=(1, 0))
    assert (managed.tensor.code, managed.tensor.bits, managed.tensor.lanes) == (code, bits, 1)
    back = runtime.from_dlpack(capsule)
    assert back.dtype is t.dtype and back.data_ptr() == t.data_ptr()


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (1, 3, 1)])
def test_scalars_and_tensors_without_elements_pass_both_ways(shape):
    t = runtime.ones(shape)
    back = runtime.from_dlpack(t)
    assert back.shape == t.shape and back.dtype is t.dtype and back.tolist() == t.tolist()
    assert np.from_dlpack(t).shape == shape and runtime.from_dlpack(np.ones(shape)).shape == shape


def test_offsets_are_those_of_the_view():
    t = runtime.arange(10.0)[3:7:2]
    managed, capsule = exported(t)
    assert managed.tensor.data == t.data_ptr() and managed.tensor.byte_offset == 0 and managed.tensor.strides[0] == 2
    assert runtime.from_dlpack(capsule).tolist() == [3.0, 5.0]


def test_a_producers_byte_offset_and_missing_strides_are_understood():
    producer = Producer((2, 3), byte_offset=8)
    t = runtime.from_dlpack(producer.capsule())
    assert t.tolist() == [[2.0, 3.0, 4.0], [5.0, 6.0, 7.0]] and t.stride() == (3, 1)


# --------------------------------------------------------------------------------------------------------------------- flags, copies


def test_a_capsule_has_a_version_only_where_the_consumer_knows_versions():
    t = runtime.ones(1)
    assert "versioned" in repr(t.__dlpack__(max_version=(1, 0))) and "versioned" in repr(t.__dlpack__(max_version=(2, 3)))
    assert "versioned" not in repr(t.__dlpack__()) and "versioned" not in repr(t.__dlpack__(max_version=(0, 8)))


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_read_only_memory_stays_read_only_on_the_other_side():
    array = np.ones(3)
    array.flags.writeable = False
    t = runtime.from_numpy(array)
    assert exported(t, max_version=(1, 0))[0].flags & 1
    assert not np.from_dlpack(t).flags.writeable
    back = runtime.from_dlpack(array)
    assert back.data_ptr() == t.data_ptr()
    with pytest.raises(RuntimeError, match="read-only"):
        back.add_(1)
    with pytest.raises(BufferError, match="read-only"):
        t.__dlpack__()


def test_a_copy_is_made_where_it_is_asked_for_and_says_so():
    t = runtime.ones(3)
    managed, capsule = exported(t, max_version=(1, 0), copy=True)
    assert managed.flags & 2 and managed.tensor.data != t.data_ptr()
    for copy in (None, False):
        managed, capsule = exported(t, max_version=(1, 0), copy=copy)
        assert not managed.flags & 2 and managed.tensor.data == t.data_ptr()


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_a_copy_of_read_only_memory_may_be_written():
    t = runtime.from_numpy(np.frombuffer(b"\0" * 8, np.float32))
    array = np.from_dlpack(t, copy=True)
    assert array.flags.writeable
    array[0] = 3
    assert t.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("make", [lambda: np.ones(3), lambda: runtime.ones(3), lambda: runtime.ones(3).__dlpack__()])
def test_from_dlpack_copies_where_it_is_told_to(make):
    source = make()
    seen = runtime.from_dlpack(source, copy=True)
    seen[0] = 4
    assert seen.tolist() == [4.0, 1.0, 1.0]
    if not isinstance(source, (np.ndarray, runtime.Tensor)):
        return
    assert source.tolist() == [1.0, 1.0, 1.0]
    shared = runtime.from_dlpack(source, copy=False)
    shared[0] = 5
    assert source.tolist() == [5.0, 1.0, 1.0]


def test_a_device_may_be_named():
    array = np.ones(2)
    assert np.shares_memory(runtime.from_dlpack(array, device="cpu").numpy(), array)
    assert runtime.from_dlpack(array, device="meta").is_meta
    with pytest.raises(ValueError, match="without copying"):
        runtime.from_dlpack(array, device="meta", copy=False)
    assert runtime.ones(1).__dlpack__(dl_device=(1, 0))
    with pytest.raises(BufferError, match=r"DLPack device \(2, 0\)"):
        runtime.ones(1).__dlpack__(dl_device=(2, 0))


class Older:
    """A producer that knows only some of the options."""

    def __init__(self, *known):
        self.array, self.known, self.asked = np.arange(3.0), known, []

    def __dlpack__(self, **options):
        self.asked.append(set(options))
        if not set(options) <= set(self.known):
            raise TypeError("unexpected keyword")
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return (1, 0)


@pytest.mark.parametrize("known", [(), ("max_version",), ("copy",), ("dl_device",)])
@pytest.mark.parametrize("options", [{}, {"copy": True}, {"device": "cpu"}, {"device": "cpu", "copy": True}])
def test_older_producers_are_asked_for_less(known, options):
    producer = Older(*known)
    t = runtime.from_dlpack(producer, **options)
    assert t.tolist() == [0.0, 1.0, 2.0]
    if options.get("copy") and "copy" not in known:
        assert not np.shares_memory(t.numpy(), producer.array)


def test_streams_are_for_devices_that_have_them():
    with pytest.raises(TypeError, match="stream must be"):
        runtime.ones(1).__dlpack__(stream="x")
    with pytest.raises(AssertionError, match="None on cpu"):
        runtime.ones(1).__dlpack__(stream=1)


# -------------------------------------------------------------------------------------------------------------------------- refusals


def test_what_dlpack_cannot_say_is_refused():
    with pytest.raises(BufferError, match="require gradient"):
        runtime.tensor([1.0], requires_grad=True).__dlpack__()
    with pytest.raises(BufferError, match="conjugate bit"):
        runtime.tensor([1j]).conj().__dlpack__()
    with pytest.raises(ValueError, match="Unknown device type meta"):
        runtime.tensor([1.0], device="meta").__dlpack_device__()
    with pytest.raises(BufferError):
        runtime.tensor([1.0], device="meta").__dlpack__()
    for nothing in (3, None, "x", object()):
        with pytest.raises(TypeError, match="__dlpack__"):
            runtime.from_dlpack(nothing)


def test_an_error_of_the_producer_comes_through():
    class Broken:
        def __dlpack__(self, **options):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        runtime.from_dlpack(Broken())

    class Wrong:
        def __dlpack__(self, **options):
            return 3

    with pytest.raises(RuntimeError, match="invalid capsule"):
        runtime.from_dlpack(Wrong())


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"ndim": -1}, "-1 dimensions"),
        ({"ndim": 65}, "65 dimensions"),
        ({"ndim": 2**31 - 1}, "dimensions"),
        ({"shape": (-3,)}, "-3 elements"),
        ({"shape": (2**62, 2**62)}, "overflow|too large|fit"),
        ({"shape": (2**62,)}, "overflow|too large|fit"),
        ({"shape": (0, 2**62, 2**62)}, "overflow|too large|fit"),
        ({"shape": (3, 3), "strides": (2**62, 2**62)}, "overflow"),
        ({"strides": (-1,)}, "negative strides"),
        ({"data": None}, "no memory"),
        ({"code": 7}, "type code 7"),
        ({"code": 99}, "type code 99"),
        ({"bits": 4}, "4 bits"),
        ({"bits": 24}, "24 bits"),
        ({"lanes": 0}, "0 lanes"),
        ({"lanes": 4}, "4 lanes"),
        ({"device_type": 2}, "device type 2"),
        ({"device_type": -5}, "device type -5"),
        ({"byte_offset": 2}, "aligned"),
        ({"major": 2}, "version 2.0"),
        ({"major": 0}, "version 0.0"),
    ],
)
@pytest.mark.parametrize("versioned", [True, False])
def test_capsules_that_lie_raise_and_stay_their_producers(versioned, fields, message):
    fields = dict(fields)
    if "major" in fields and not versioned:
        pytest.skip("there is no version")
    producer = Producer(fields.pop("shape", (3,)), fields.pop("strides", None), versioned, **fields)
    capsule = producer.capsule()
    with pytest.raises((BufferError, RuntimeError), match=message):
        runtime.from_dlpack(capsule)
    assert producer.deleted == 0 and "used" not in repr(capsule)


def test_a_shape_that_misses_is_refused():
    producer = Producer()
    producer.managed.tensor.shape = None
    with pytest.raises(BufferError, match="no shape"):
        runtime.from_dlpack(producer.capsule())


def test_a_scalar_needs_no_shape():
    producer = Producer(())
    producer.managed.tensor.shape = None
    assert runtime.from_dlpack(producer.capsule()).item() == 0.0


# -------------------------------------------------------------------------------------------------------------------------- deleters


@pytest.mark.parametrize("versioned", [True, False])
def test_the_deleter_runs_once_when_the_last_view_is_gone(versioned):
    producer = Producer(versioned=versioned)
    capsule = producer.capsule()
    t = runtime.from_dlpack(capsule)
    view = t[1:].numpy()
    del t, capsule
    gc.collect()
    assert producer.deleted == 0 and view.tolist() == [1.0, 2.0]
    del view
    gc.collect()
    assert producer.deleted == 1


def test_a_producer_without_a_deleter_is_left_alone():
    producer = Producer()
    producer.managed.deleter = Deleter()
    t = runtime.from_dlpack(producer.capsule())
    assert t.tolist() == [0.0, 1.0, 2.0]
    del t
    gc.collect()


def test_a_capsule_is_used_up_by_its_consumer():
    t = runtime.tensor([1.0, 2.0])
    capsule = t.__dlpack__()
    other = runtime.from_dlpack(capsule)
    with pytest.raises(RuntimeError, match="consumed only once"):
        runtime.from_dlpack(capsule)
    del t, capsule
    gc.collect()
    assert other.tolist() == [1.0, 2.0]


def test_an_unused_capsule_releases_its_memory():
    array = np.ones(3)
    reference = weakref.ref(array)
    for version in (None, (1, 0)):
        capsule = runtime.from_numpy(array).__dlpack__(max_version=version)
        assert ("versioned" in repr(capsule)) == (version is not None)
    del array, capsule
    gc.collect()
    assert reference() is None


def test_a_consumer_keeps_the_memory_of_a_tensor_that_is_gone():
    array = np.from_dlpack(runtime.arange(1000.0))
    gc.collect()
    assert array.tolist() == list(range(1000))


def test_exported_memory_cannot_be_resized():
    t = runtime.ones(4)
    array = np.from_dlpack(t)
    with pytest.raises(RuntimeError, match="not resizable"):
        t.resize_(1000)
    assert array.tolist() == [1.0] * 4


def test_the_names_of_pytorchs_module():
    from runtime import compat

    dlpack = compat.resolve("torch.utils.dlpack")
    assert dlpack.DLDeviceType.kDLCUDA == 2
    assert dlpack.from_dlpack(dlpack.to_dlpack(runtime.ones(2))).tolist() == [1.0, 1.0]
    assert dlpack.from_dlpack is _core.from_dlpack


# ---------------------------------------------------------------------------------------------------------------------------- PyTorch


@pytest.mark.oracle
def test_memory_is_shared_with_pytorch():
    torch = pytest.importorskip("torch")
    theirs = torch.arange(6.0).reshape(2, 3).t()
    ours = runtime.from_dlpack(theirs)
    assert ours.data_ptr() == theirs.data_ptr() and ours.stride() == theirs.stride() and ours.tolist() == theirs.tolist()
    ours[0, 0] = 9
    assert theirs[0, 0] == 9
    back = torch.from_dlpack(ours)
    back[1, 1] = 8
    assert back.data_ptr() == theirs.data_ptr() and ours[1, 1] == 8
    assert torch.utils.dlpack.from_dlpack(ours.__dlpack__()).data_ptr() == theirs.data_ptr()


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:ComplexHalf support")
@pytest.mark.parametrize("name", [*NUMPY_DTYPES, "bfloat16", "float8_e5m2", "float8_e4m3fn", "complex32"])
def test_every_dtype_passes_to_pytorch_and_back(name):
    torch = pytest.importorskip("torch")
    theirs = torch.zeros(3, dtype=getattr(torch, name))
    ours = runtime.from_dlpack(theirs)
    assert ours.dtype is getattr(runtime, name) and torch.from_dlpack(ours).dtype is theirs.dtype
    assert torch.from_dlpack(ours, copy=True).data_ptr() != theirs.data_ptr()


@pytest.mark.parametrize("version", [(), []])
def test_a_version_without_numbers_is_an_index_error(version):
    with pytest.raises(IndexError):
        runtime.ones(2).__dlpack__(max_version=version)


class Speaker:
    """An array type of another library that speaks DLPack and nothing else."""

    def __init__(self):
        self.array = np.arange(3.0)

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_creation_takes_what_speaks_dlpack():
    speaker = Speaker()
    for make in (runtime.as_tensor, runtime.asarray):
        assert np.shares_memory(make(speaker).numpy(), speaker.array)
    assert not np.shares_memory(runtime.tensor(speaker).numpy(), speaker.array)
    assert runtime.as_tensor(speaker, dtype=runtime.float32).tolist() == runtime.tensor(speaker).tolist() == [0.0, 1.0, 2.0]
    assert np.shares_memory(runtime.asarray(speaker.__dlpack__()).numpy(), speaker.array)


def test_a_stream_of_minus_one_says_not_to_wait():
    t = runtime.ones(1)
    assert runtime.from_dlpack(t.__dlpack__(stream=-1)).data_ptr() == t.data_ptr()


def test_strides_of_dimensions_with_one_element_are_kept():
    assert runtime.from_dlpack(runtime.ones(9)[::3][:1]).stride() == (3,)


def test_the_older_names_of_pytorchs_are_there():
    t = runtime.ones(2)
    back = compat.resolve("torch._C._from_dlpack")
    for name in ("torch.to_dlpack", "torch._C._to_dlpack", "torch._C._to_dlpack_versioned"):
        assert back(compat.resolve(name)(t)).data_ptr() == t.data_ptr()
