"""NumPy arrays and buffers: memory shared without copies, and the arrays and tensors that are refused."""

import gc
import sys
import weakref

import numpy as np
import pytest

import runtime
from runtime import _core, settings, tensor_types

NUMPY_DTYPES = (
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
)


@pytest.mark.parametrize("name", NUMPY_DTYPES)
def test_arrays_and_tensors_share_memory(name):
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(name)
    t = runtime.from_numpy(array)
    assert t.dtype is getattr(runtime, name) and t.shape == (2, 3) and t.stride() == (3, 1)
    back = t.numpy()
    assert back.dtype == array.dtype and np.shares_memory(array, back)
    array[0, 0] = 1
    assert t.tolist()[0][0] == back[0, 0] == 1


@pytest.mark.parametrize(
    "make", [lambda a: a.T, lambda a: a[::2], lambda a: a[:, 1:], lambda a: a[1, 1], lambda a: a[:0], np.squeeze]
)
def test_strides_and_offsets_pass_both_ways(make):
    array = make(np.arange(12.0).reshape(4, 3))
    array = np.asarray(array)
    t = runtime.from_numpy(array)
    assert t.tolist() == array.tolist()
    assert np.array_equal(t.numpy(), array)


def test_a_tensor_keeps_its_array_alive_and_an_array_its_tensors_memory():
    array = np.ones(100)
    reference = weakref.ref(array)
    t = runtime.from_numpy(array)
    del array
    gc.collect()
    assert reference() is not None and t.tolist() == [1.0] * 100
    del t
    assert reference() is None
    array = runtime.tensor(list(range(1000))).numpy()
    gc.collect()
    assert array.tolist() == list(range(1000))


@pytest.mark.parametrize(
    "array, error, message",
    [
        (np.arange(4)[::-1], ValueError, "stride in the given numpy array is negative"),
        (np.array(["a"]), TypeError, "can't convert np.ndarray of type numpy.str_"),
        (np.array([None]), TypeError, "can't convert np.ndarray of type numpy.object_"),
        (np.ones(2, dtype="M8[s]"), TypeError, "numpy.datetime64"),
        (np.ones(2, dtype=">f4"), ValueError, "byte order different from the native byte order"),
        (np.zeros(3, dtype="i4,f8")["f1"], ValueError, "strides not a multiple of the element byte size"),
        (np.zeros(3, dtype="f4,f4")["f1"][1:], None, None),
        (np.frombuffer(bytearray(9), dtype="u1")[1:].view("f4"), ValueError, "not aligned"),
        ([1], TypeError, r"expected np.ndarray \(got list\)"),
    ],
)
def test_arrays_that_no_tensor_can_describe_are_refused(array, error, message):
    if error is None:
        assert runtime.from_numpy(array).stride() == (2,)
        return
    with pytest.raises(error, match=message):
        runtime.from_numpy(array)


@pytest.mark.parametrize("shape", [(2, 1), (1, 3), (1, 1), (0, 2), (1, 2, 1)])
def test_an_array_that_is_contiguous_in_both_orders_is_copied(shape):
    array = np.arange(float(np.prod(shape))).reshape(shape)
    assert runtime.tensor(array).tolist() == array.tolist()


def test_read_only_arrays_are_taken_with_one_warning():
    array = np.ones(3)
    array.flags.writeable = False
    code = "import runtime, numpy as np, warnings\na = np.ones(3)\na.flags.writeable = False\n" + (
        "with warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n"
        "    runtime.from_numpy(a); runtime.from_numpy(a)\n"
        "assert len(w) == 1 and 'not writable' in str(w[0].message), w\n"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True)


def test_refusals_to_become_an_array_say_what_to_do():
    t = runtime.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad. Use tensor.detach"):
        t.numpy()
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(t)
    with pytest.raises(TypeError, match="can't convert meta device type tensor to numpy"):
        runtime.tensor([1.0], device="meta").numpy()
    with pytest.raises(TypeError, match="Got unsupported ScalarType BFloat16"):
        runtime.tensor([1.0], dtype=runtime.bfloat16).numpy()
    assert runtime.tensor([1.0], requires_grad=True).numpy(force=True).tolist() == [1.0]


def test_numpy_functions_take_tensors():
    t = runtime.tensor([1.0, 2.0])
    assert np.asarray(t).dtype == np.float32
    assert np.array(t, dtype=np.float64).dtype == np.float64
    assert np.add(np.ones(2), np.asarray(t)).tolist() == [2.0, 3.0]
    copied = np.array(t)
    copied[0] = 9
    assert t.tolist() == [1.0, 2.0]


def test_empty_and_scalar_tensors_are_arrays_too():
    assert runtime.tensor([]).numpy().shape == (0,)
    assert runtime.from_numpy(np.zeros((0, 3))).shape == (0, 3)
    assert runtime.tensor(3).numpy().shape == () and int(runtime.tensor(3).numpy()) == 3


@pytest.mark.parametrize(
    "buffer, options, message",
    [
        (bytearray(8), {"offset": 1}, "must be a multiple of element size"),
        (bytearray(8), {"count": 3}, "requested buffer length"),
        (bytearray(9), {}, "must be a multiple of element size"),
        (bytearray(0), {}, "must not be 0"),
        (bytearray(8), {"count": 0}, "must not be 0"),
        (bytearray(8), {"offset": 8}, "must be non-negative and no greater than"),
        (bytearray(8), {"offset": -1}, "must be non-negative"),
        (bytearray(8), {"count": 2**62}, "requested buffer length"),
        (3, {}, "does not implement Python buffer protocol"),
    ],
)
def test_buffers_of_the_wrong_size_are_refused(buffer, options, message):
    with pytest.raises(ValueError, match=message):
        runtime.frombuffer(buffer, dtype=runtime.float32, **options)


def test_a_buffer_is_shared_and_locked():
    buffer = bytearray(8)
    t = runtime.frombuffer(buffer, dtype=runtime.int16, offset=2, count=2)
    buffer[2] = 5
    assert t.tolist() == [5, 0]
    with pytest.raises(BufferError):
        buffer.extend(b"x")
    del t
    gc.collect()
    buffer.extend(b"x")


def test_tensors_of_arrays_are_copies_and_as_tensor_is_not():
    array = np.arange(3)
    copied, shared = runtime.tensor(array), runtime.as_tensor(array)
    array[0] = 7
    assert copied.tolist() == [0, 1, 2] and shared.tolist() == [7, 1, 2]


def test_arrays_of_small_floats_share_memory_with_their_tensors():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.5, -2.0], dtype=ml_dtypes.bfloat16)
    t = runtime.from_numpy(array)
    assert t.dtype is runtime.bfloat16 and t.tolist() == [1.5, -2.0]
    assert _core._numpy_view(t).dtype == array.dtype and np.shares_memory(_core._numpy_view(t), array)


def test_numbers_of_numpys_stand_for_dimensions_and_elements():
    t = runtime.tensor([[1.0, 2.0], [3.0, 5.0]])
    for name in ("sum", "mean", "std", "var", "amax", "nansum", "nanmean"):
        assert getattr(t, name)(np.int64(0)).tolist() == getattr(t, name)(0).tolist()
        assert getattr(t, name)(dim=np.int32(1)).tolist() == getattr(t, name)(dim=1).tolist()
    t[t > 4.0] = np.int64(0)
    t[[0]] = np.float32(7)
    t[[1]] = np.array([8, 9])
    assert t.tolist() == [[7.0, 7.0], [8.0, 9.0]]
    t[t > 7] = np.bool_(True)
    assert np.float32(7) in t and np.int64(2) not in t


def test_old_constructors_take_arrays():
    array = np.arange(3)
    tensor = runtime.Tensor(array)
    assert tensor.dtype is runtime.float32 and tensor.tolist() == [0.0, 1.0, 2.0]
    assert runtime.Tensor(np.array(3.0)).tolist() == 3.0 and runtime.Tensor(np.array([3])).tolist() == [3.0]
    for kind, dtype in (("FloatTensor", runtime.float32), ("LongTensor", runtime.int64)):
        made = getattr(tensor_types, kind)(np.ones(2))
        assert made.dtype is dtype and made.tolist() == [1, 1]
    assert tensor.new(array).tolist() == [0.0, 1.0, 2.0] and tensor.new(array).dtype is runtime.float32
    assert runtime.nn.Parameter(runtime.Tensor(array)).requires_grad


def test_a_list_of_arrays_warns_that_it_is_slow(monkeypatch):
    monkeypatch.setattr(settings, "_warned", set())  # the warning comes once in a process
    with pytest.warns(UserWarning, match="extremely slow"):
        assert runtime.tensor([np.array([0]), np.array([1])]).tolist() == [[0], [1]]


def test_asarray_reads_a_buffer_as_elements_of_the_dtype_that_is_asked_for():
    assert runtime.asarray(bytearray(8)).tolist() == [0.0, 0.0]
    buffer = bytearray(8)
    t = runtime.asarray(memoryview(buffer), dtype=runtime.int32)
    buffer[4] = 3
    assert t.tolist() == [0, 3]


@pytest.mark.parametrize(
    "make, options, message",
    [
        (lambda: runtime.ones(2), {"dtype": runtime.float64}, "can't alias tensor with dtype 'Float' into dtype 'Double'"),
        (lambda: [1, 2], {}, "can't alias arbitrary sequence into a tensor"),
        (lambda: np.ones(2), {"device": "meta"}, "can't alias tensor from device 'cpu' to 'meta'"),
    ],
)
def test_asarray_says_why_there_must_be_a_copy(make, options, message):
    with pytest.raises(ValueError, match=message):
        runtime.asarray(make(), copy=False, **options)


def test_elements_of_meta_tensors_are_no_list():
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        runtime.ones(2, device="meta").tolist()
