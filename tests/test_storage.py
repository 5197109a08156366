"""UntypedStorage: identity, size, bytes, who owns the memory."""

import copy
import gc
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest

import runtime


def test_a_storage_has_one_python_object_as_long_as_somebody_holds_it():
    t = runtime.tensor([1.0, 2.0])
    storage = t.untyped_storage()
    assert t.untyped_storage() is storage is t.data.untyped_storage()
    assert storage._cdata == t.data.untyped_storage()._cdata
    assert runtime.tensor([1.0]).untyped_storage() != storage


def test_weak_references_to_a_storage_die_with_its_object():
    t = runtime.tensor([1.0])
    reference = weakref.ref(t.untyped_storage())
    assert reference() is None
    storage = t.untyped_storage()
    reference = weakref.ref(storage)
    del t
    assert reference() is storage
    del storage
    gc.collect()
    assert reference() is None


def test_bytes_are_read_and_written_in_place():
    t = runtime.tensor([1, 2], dtype=runtime.int16)
    storage = t.untyped_storage()
    assert storage.tolist() == [1, 0, 2, 0] and len(storage) == storage.nbytes() == storage.size() == 4
    storage[0] = 7
    storage[-1] = 1
    assert t.tolist() == [7, 258] and storage[-2] == 2
    part = storage[2:]
    part[0] = 9
    assert t.tolist() == [7, 265]
    del t, storage
    gc.collect()
    assert part.tolist() == [9, 1]  # a slice keeps the memory alive


@pytest.mark.parametrize(
    "index, error", [(4, IndexError), (-5, IndexError), ("a", TypeError), (slice(0, 4, 2), RuntimeError)]
)
def test_indices_outside_a_storage_are_refused(index, error):
    storage = runtime.UntypedStorage(4)
    with pytest.raises(error):
        storage[index]
    with pytest.raises(error):
        storage[index] = 0


def test_resizing_keeps_contents_and_moves_between_small_and_large_memory():
    storage = runtime.UntypedStorage([1, 2, 3])
    for size in (3, 1000, 5000, 10, 0, 2):
        kept = storage.tolist()[:size]
        assert storage.resize_(size) is storage
        assert storage.nbytes() == size and storage.tolist()[: len(kept)] == kept
    with pytest.raises(RuntimeError, match="negative"):
        storage.resize_(-1)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        storage.resize_(2**46)
    assert storage.nbytes() == 2


def test_a_tensor_beyond_its_storage_is_an_error_not_a_crash():
    t = runtime.tensor([1.0, 2.0])
    t.untyped_storage().resize_(0)
    for read in (t.tolist, t.numpy, lambda: t.data[:1].item()):
        with pytest.raises(RuntimeError):
            read()


def test_memory_of_others_is_not_resizable():
    array = np.ones(2)
    storage = runtime.from_numpy(array).untyped_storage()
    assert not storage.resizable()
    with pytest.raises(RuntimeError, match="Trying to resize storage that is not resizable"):
        storage.resize_(100)


def test_an_array_over_a_tensor_forbids_resizing_its_storage():
    t = runtime.tensor([1.0])
    assert t.untyped_storage().resizable()
    array = t.numpy()
    assert not t.untyped_storage().resizable() and array[0] == 1


def test_memory_on_meta_has_a_size_and_no_address():
    storage = runtime.UntypedStorage(8, device="meta")
    assert storage.nbytes() == 8 and storage.data_ptr() == 0 and storage.device == runtime.device("meta")
    with pytest.raises(RuntimeError):
        storage[0]
    with pytest.raises(RuntimeError):
        storage.tolist()
    assert repr(storage) == "...\n[torch.storage.UntypedStorage(device=meta) of size 8]"
    storage.resize_(2**60)
    assert storage.nbytes() == 2**60
    assert pickle.loads(pickle.dumps(storage)).nbytes() == 2**60


def test_copies_have_memory_of_their_own():
    storage = runtime.UntypedStorage([1, 2, 3])
    for other in (storage.clone(), copy.copy(storage), copy.deepcopy(storage), pickle.loads(pickle.dumps(storage))):
        assert other.tolist() == [1, 2, 3] and other.data_ptr() != storage.data_ptr()
        other.fill_(0)
    assert storage.tolist() == [1, 2, 3]
    with pytest.raises(RuntimeError, match="size does not match"):
        storage.copy_(runtime.UntypedStorage(2))


def test_sharing_survives_pickling_and_deep_copying():
    t = runtime.tensor([1.0, 2.0])
    for make in (lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy):
        a, b = make([t, t.data])
        assert a.untyped_storage() is b.untyped_storage() is not t.untyped_storage()


@pytest.mark.parametrize("size", [-1, 2**46, 2**63 - 1])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(RuntimeError):
        runtime.UntypedStorage(size)


@pytest.mark.parametrize("size", [2**64, -(2**70)])
def test_sizes_that_no_machine_has_are_overflow_errors(size):
    with pytest.raises(OverflowError):
        runtime.UntypedStorage(size)


@pytest.mark.parametrize("nbytes", [1, 4, 64, 256, 257, 4096])
def test_memory_is_aligned_to_cache_lines(nbytes):
    storages = [runtime.UntypedStorage(nbytes) for _ in range(20)]
    assert all(s.data_ptr() % 64 == 0 for s in storages)
    assert len({s.data_ptr() for s in storages}) == 20


@pytest.mark.oracle
def test_storages_print_as_pytorchs():
    torch = pytest.importorskip("torch")
    for values in ([], [1, 2, 255]):
        assert repr(runtime.UntypedStorage(values)) == repr(torch.UntypedStorage(values)).replace(" \n", " \n")


MEDDLING = """
import threading, time, warnings
import runtime
warnings.simplefilter("ignore")
n = 1 << 22
x = runtime.ones(n)
done = False
def meddle():
    while not done:
        x.resize_(0)
        x.resize_(n)
        x.untyped_storage().resize_(4 * n)
        x.set_(runtime.ones(n))
        x.data = runtime.zeros(n)
        x.resize_(2048, 2048)
        x.t_()
        x.resize_(n)
thread = threading.Thread(target=meddle)
thread.start()
calls = [lambda: x + x, lambda: x.sum(), lambda: runtime.cat([x, x]), lambda: x.argmax(), lambda: x.cumsum(0), lambda: x.mm(x),
         lambda: runtime.tril(x), lambda: runtime.add(x, x, out=x), lambda: x.mul_(2), lambda: x.dot(x), lambda: x.max(0), lambda: x.clone()]
end = time.time() + 2
while time.time() < end:
    for call in calls:
        try:
            call()
        except (RuntimeError, IndexError):
            pass
done = True
thread.join()
print("alive")
"""


def test_memory_and_geometry_may_change_in_one_thread_while_kernels_run_in_another():
    done = subprocess.run([sys.executable, "-c", MEDDLING], capture_output=True, text=True, timeout=60)
    assert done.stdout == "alive\n", done.stderr


def test_untyped_storages_come_from_buffers_in_either_byte_order():
    made = runtime.UntypedStorage.from_buffer(b"12345678", "big", 1, 4, dtype=runtime.float32)
    assert bytes(made) == b"8765"
    assert runtime.UntypedStorage.from_buffer(bytes([0, 1, 2]), "native", dtype=runtime.bool).tolist() == [0, 1, 1]
    assert bytes(runtime.UntypedStorage.from_buffer(b"12", dtype=runtime.uint8)) == b"12"
    for arguments, message in (
        (("native", 4), "has only 2 elements"), (("native", -1, 9), "no greater than buffer length"), (("odd",), "invalid byte_order 'odd'"),
        (("native", -1, 1), "must be a multiple of element size"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            runtime.UntypedStorage.from_buffer(b"12345678", *arguments, dtype=runtime.float32)
    with pytest.raises(RuntimeError, match="missing required argument 'byte_order'"):
        runtime.storage.FloatStorage.from_buffer(b"1234")
    with pytest.raises(RuntimeError, match="'dtype' can only be specified"):
        runtime.storage.FloatStorage.from_buffer(b"1234", "native", dtype=runtime.int32)


def test_storages_from_files_write_to_them_only_if_they_are_shared(tmp_path):
    path = str(tmp_path / "numbers")
    shared = runtime.storage.FloatStorage.from_file(path, True, 2)
    shared[0] = 1.0
    private = runtime.storage.FloatStorage.from_file(path, False, 2)
    private[1] = 5.0
    assert shared.tolist() == [1.0, 0.0] and private.tolist() == [1.0, 5.0]
    assert runtime.UntypedStorage.from_file(path).nbytes() == 8
    with pytest.raises(RuntimeError, match="has 8 bytes, not 12"):
        runtime.storage.FloatStorage.from_file(path, False, 3)
    with pytest.raises(RuntimeError, match="unable to open file"):
        runtime.UntypedStorage.from_file(path + "2", False, 4)
    with pytest.raises(RuntimeError, match="derived classes"):
        runtime.storage.TypedStorage.from_file(path, False, 2)


def test_untyped_storages_convert_bytes_swap_them_and_stay_on_their_device():
    storage = runtime.tensor([1.0]).untyped_storage()
    assert storage.float().tolist() == [0.0, 0.0, 128.0, 63.0] and storage.bool().tolist() == [False, False, True, True]
    assert storage.float8_e5m2().dtype == runtime.float8_e5m2
    storage.byteswap(runtime.float32)
    assert storage.tolist() == [63, 128, 0, 0]
    assert storage.to(device="cpu") is storage and storage.to(device="meta").device.type == "meta"
    assert storage.type() == "torch.storage.UntypedStorage" and storage.new().nbytes() == 0
    with pytest.raises(TypeError, match="methods such as float"):
        storage.type("torch.FloatStorage")
    with pytest.raises(RuntimeError, match="accelerator"):
        storage.pin_memory()


def test_tensors_know_their_typed_storage():
    x = runtime.tensor([1, 2], dtype=runtime.int16)
    assert x._typed_storage().untyped() is x.untyped_storage()
    runtime.storage._set_always_warn_typed_storage_removal(True)
    try:
        with pytest.warns(UserWarning, match="TypedStorage is deprecated"):
            assert x.storage().tolist() == [1, 2]
        with pytest.warns(UserWarning, match="TypedStorage is deprecated"):
            assert x.storage_type() is runtime.storage.ShortStorage
    finally:
        runtime.storage._set_always_warn_typed_storage_removal(False)
