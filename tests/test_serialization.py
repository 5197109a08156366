"""`save` and `load`: what is saved comes back bit by bit, files are exchanged with PyTorch, and settings do what they say."""

import copyreg
import gc
import gzip
import inspect
import io
import mmap
import os
import pickle
import struct
import types
import warnings
import zipfile
from collections import Counter, OrderedDict

import pytest

import runtime
from runtime import serialization
from runtime._core import Tensor
from runtime.serialization import numpy_files
from runtime.serialization.archive import ArchiveReader, ArchiveWriter, Source
from runtime.storage import LEGACY, TypedStorage
from runtime.testing.logging_tensor import LoggingTensor

DTYPES = sorted(
    {
        dtype
        for name, dtype in runtime._core.dtype_names.items()
        if not name.startswith(("q", "bit", "float4", "int1", "uint1")) or dtype.itemsize > 1
    },
    key=str,
)
DTYPES = [dtype for dtype in DTYPES if str(dtype)[6:] not in ("qint32", "bits16", *(f"{u}int{n}" for u in ("", "u") for n in range(1, 8)))]


class Marked(Tensor):
    """A subclass with a slot."""

    __slots__ = ("mark",)


class Plain:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return type(other) is Plain and self.value == other.value


class Stated(Tensor):
    def __setstate__(self, state):
        self.seen = state


class Own(Tensor):
    def __reduce_ex__(self, protocol):
        func, args = super().__reduce_ex__(protocol)[:2]
        return _own, (func, args, 3)


def _own(func, args, times):
    result = func(*args)
    result.times = times
    return result


def saved(obj, **options):
    file = io.BytesIO()
    runtime.save(obj, file, **options)
    file.seek(0)
    return file


def again(obj, load=None, **options):
    return runtime.load(saved(obj, **options), **(load or {}))


def pattern(dtype, count=12):
    """A tensor of a dtype with all kinds of bits, NaNs among them."""
    nbytes = count * dtype.itemsize
    content = [(i * 37 + 200) % 256 if dtype is not runtime.bool else i % 2 for i in range(nbytes)]
    return runtime.empty(0, dtype=dtype).set_(runtime.UntypedStorage(content), 0, (count,))


def contents(tensor):
    return bytes(tensor.untyped_storage())


# ---- round trips


@pytest.mark.parametrize("old", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_comes_back_bit_by_bit_with_its_strides(dtype, old):
    x = pattern(dtype)[1:].as_strided((2, 3), (1, 3), 2)
    y = again(x, _use_new_zipfile_serialization=not old)
    assert (y.dtype, y.shape, y.stride(), y.storage_offset()) == (dtype, x.shape, (1, 3), 2)
    assert contents(y) == contents(x)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1, 255, 65536, -(2**31), 2**31, 2**70, -(2**2000), 0.0, -0.0, 1e300, float("inf"), 1j, "", "ü\ud800", "x" * 300, b"",
        b"abc", b"\xff" * 300, bytearray(), bytearray(b"\0\xff"), (), (1,), (1, 2), (1, 2, 3), (1, (2, (3, 4))), [], [1, [2]], {}, {1: {2: 3}},
        {"a": None}, {(1, 2): 3}, set(), {1, (2, 3)}, frozenset({1}), OrderedDict(a=1), Counter("aab"), slice(1, None, 2), range(3, 9, 2),
    ],
    ids=lambda v: f"{type(v).__name__}-{str(v)[:10]}".encode("ascii", "replace").decode(),
)  # fmt: skip
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_come_back_in_every_protocol(value, protocol):
    result = again(value, pickle_protocol=protocol)
    assert result == value and type(result) is type(value) and repr(result) == repr(value)


@pytest.mark.parametrize(
    "value",
    [*DTYPES, runtime.strided, runtime.channels_last, runtime.Size([1, 2]), runtime.Size([]), runtime.device("cpu"), runtime.device("meta")],
    ids=str,
)
def test_what_describes_tensors_comes_back(value):
    result = again(value)
    assert result == value and type(result) is type(value)


def test_tensors_that_share_memory_share_it_after_loading():
    x = runtime.arange(6.0)
    y, z, w = again([x, x[2:], x])
    assert y is w and z.storage_offset() == 2
    z.zero_()
    assert y.tolist() == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("old", [False, True])
def test_memory_can_be_resized_after_saving_and_loading(old):
    x = runtime.ones(2)
    y = again(x, _use_new_zipfile_serialization=not old)
    for tensor in (x, y):
        tensor.resize_(1000)
        assert tensor.untyped_storage().nbytes() == 4000 and tensor[:2].tolist() == [1, 1]


def test_an_object_that_contains_itself_comes_back():
    items = [1]
    items.append({"again": items})
    result = again(items)
    assert result[1]["again"] is result


def test_gradients_are_required_after_loading_if_they_were_before():
    x = runtime.ones(2, requires_grad=True)
    assert again(x).requires_grad and not again(x.detach()).requires_grad
    leaf = again(x * 2)
    assert leaf.requires_grad and leaf.is_leaf and leaf.tolist() == [2, 2]


def test_parameters_stay_parameters_with_their_attributes():
    plain, tagged = runtime.nn.Parameter(runtime.ones(2), requires_grad=False), runtime.nn.Parameter(runtime.ones(2))
    tagged.tag = "x"
    first, second = again([plain, tagged])
    assert type(first) is runtime.nn.Parameter and not first.requires_grad and second.requires_grad and second.tag == "x"


def test_lazy_bits_are_kept():
    x = runtime.tensor([1 + 2j, 3 - 4j])
    for y in (x.conj(), x.conj().imag):
        z = again(y)
        assert (z.is_conj(), z.is_neg()) == (y.is_conj(), y.is_neg()) and z.tolist() == y.tolist() and contents(z) == contents(y)


def test_empty_and_scalar_tensors_come_back():
    for x in (runtime.empty(0), runtime.empty(0, 3), runtime.tensor(2.5), runtime.empty(2, 0, 3)):
        y = again(x)
        assert y.shape == x.shape and y.stride() == x.stride() and y.tolist() == x.tolist()


def test_tensors_on_the_meta_device_keep_their_geometry():
    x = runtime.empty(3, 2, device="meta", dtype=runtime.int8).t()
    y = again(x)
    assert y.device.type == "meta" and y.dtype is runtime.int8 and (y.shape, y.stride()) == (x.shape, x.stride())


def test_storages_come_back():
    x = runtime.tensor([1.0, 2.0])
    typed = TypedStorage(wrap_storage=x.untyped_storage(), dtype=x.dtype)
    result = again(typed)
    assert type(result) is TypedStorage and result.tolist() == [1.0, 2.0] and isinstance(result, LEGACY["FloatStorage"])
    assert bytes(again(x.untyped_storage())) == contents(x)


def test_memory_with_two_dtypes_is_refused():
    x = runtime.ones(2)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        saved([x, x.view(runtime.int32)])


def test_attributes_of_state_dicts_come_back():
    state = runtime.nn.Linear(2, 2).state_dict()
    result = again(state)
    assert type(result) is OrderedDict and result._metadata == state._metadata and list(result) == ["weight", "bias"]


def test_modules_come_back_if_the_file_is_trusted():
    model = runtime.nn.Sequential(runtime.nn.Linear(3, 2), runtime.nn.ReLU(), runtime.nn.Flatten())
    with pytest.raises(pickle.UnpicklingError, match="GLOBAL torch.nn.modules.container.Sequential was not an allowed global by default"):
        again(model)
    result = again(model, {"weights_only": False})
    x = runtime.ones(1, 3)
    assert runtime.equal(result(x), model(x)) and repr(result) == repr(model)


def test_hooks_are_left_out_with_a_warning():
    x = runtime.ones(2, requires_grad=True)
    x.register_hook(lambda grad: grad)
    with pytest.warns(UserWarning, match="backward hook .* on tensor will not be serialized"):
        file = saved(x)
    assert not runtime.load(file)._backward_hooks
    y = runtime.ones(2, requires_grad=True)
    y.register_hook(runtime.utils.hooks.unserializable_hook(lambda grad: grad))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved(y)


# ---- subclasses


def test_subclasses_need_to_be_allowed_and_keep_dict_and_slots():
    x = runtime.ones(2).as_subclass(Marked)
    x.mark, x.note = {"a": 1}, (1, 2)
    with pytest.raises(pickle.UnpicklingError, match=r"test_serialization\.Marked was not an allowed global"):
        again(x)
    with serialization.safe_globals([Marked]):
        y = again(x)
    assert type(y) is Marked and y.mark == {"a": 1} and y.note == (1, 2) and y.tolist() == [1, 1]
    assert serialization.get_safe_globals() == []


def test_tensors_with_attributes_need_no_permission():
    x = runtime.ones(2)
    x.note = [1]
    assert again(x).note == [1]


def test_wrapper_subclasses_keep_what_is_inside():
    x = LoggingTensor(runtime.tensor([2, 0, 1]))
    with serialization.safe_globals([LoggingTensor]):
        y = again(x)
    assert type(y) is LoggingTensor and y.elem.tolist() == [2, 0, 1] and y.dtype is runtime.int64 and y is not x


def test_a_subclass_may_set_its_state_itself():
    x = runtime.ones(2).as_subclass(Stated)
    x.note = 1
    with serialization.safe_globals([Stated]):
        assert again(x).seen == {"note": 1}


def test_a_subclass_may_reduce_itself():
    x = runtime.ones(2).as_subclass(Own)
    y = again(x, {"weights_only": False})
    assert type(y) is Own and y.times == 3


def test_copyreg_has_the_last_word(monkeypatch):
    monkeypatch.setitem(copyreg.dispatch_table, Marked, lambda tensor: (list, ((1, 2),)))
    assert again(runtime.ones(2).as_subclass(Marked), {"weights_only": False}) == [1, 2]


def test_modes_do_not_see_plain_tensors_being_saved_and_loaded(tmp_path):
    seen = []

    class Mode(runtime.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    x = runtime.ones(3).t()
    with Mode():
        runtime.save([x, runtime.float32], tmp_path / "a.pt")
        for mapped in (False, True):
            runtime.load(tmp_path / "a.pt", mmap=mapped)
    assert seen == []


# ---- what may be loaded


def test_other_classes_are_allowed_by_name():
    file = saved({"x": Plain(3)})
    with pytest.raises(pickle.UnpicklingError, match=r"Plain was not an allowed global"):
        runtime.load(file)
    file.seek(0)
    with serialization.safe_globals([Plain]):
        assert runtime.load(file) == {"x": Plain(3)}
    file.seek(0)
    assert runtime.load(file, weights_only=False) == {"x": Plain(3)}


def test_a_class_can_be_allowed_under_another_name():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02cold.place\nPlain\n)\x81}X\x01\x00\x00\x00vK\x01sb.")
        archive.writestr("a/version", b"3\n")
    file.seek(0)
    with serialization.safe_globals([(Plain, "old.place.Plain")]):
        assert runtime.load(file).v == 1
    file.seek(0)
    with serialization.safe_globals([Plain]), pytest.raises(pickle.UnpicklingError, match=r"GLOBAL old\.place\.Plain"):
        runtime.load(file)


def test_unsafe_globals_are_listed_without_loading():
    file = saved({"x": Plain(3), "f": print, "t": runtime.ones(2), "o": OrderedDict(a=[{1}])})
    names = serialization.get_unsafe_globals_in_checkpoint(file)
    assert f"{__name__}.Plain" in names and "builtins.print" in names and not any("torch" in name or "Ordered" in name for name in names)
    with pytest.raises(ValueError, match="Expected input to be a checkpoint"):
        serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(b"nothing"))


def test_safe_globals_are_added_and_cleared():
    serialization.add_safe_globals([Plain])
    serialization.add_safe_globals([Plain])
    try:
        assert serialization.get_safe_globals() == [Plain]
        assert again(Plain(2)) == Plain(2)
    finally:
        serialization.clear_safe_globals()
    assert serialization.get_safe_globals() == []


def test_environment_variables_override_weights_only(monkeypatch):
    file = saved(Plain(1))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.warns(UserWarning, match="forcing weights_only=False"):
        assert runtime.load(file) == Plain(1)
    file.seek(0)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "yes")
    with pytest.raises(RuntimeError, match="Only one of"):
        runtime.load(file)
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    with pytest.raises(pickle.UnpicklingError):
        runtime.load(file, weights_only=False)


def test_a_pickle_module_excludes_weights_only():
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        runtime.load(saved(1), pickle_module=pickle, weights_only=True)
    assert runtime.load(saved(1), pickle_module=pickle) == 1


def test_a_pickler_of_another_module_is_used():
    class Module:
        Unpickler = pickle.Unpickler

        class Pickler(pickle.Pickler):
            def reducer_override(self, obj):
                return (int, ("7",)) if obj is Ellipsis else NotImplemented

    x = runtime.ones(2, dtype=runtime.uint16)
    result = again([x, ..., runtime.ones(3)], {"pickle_module": Module}, pickle_module=Module)
    assert result[0].dtype is runtime.uint16 and result[1] == 7 and result[2].tolist() == [1, 1, 1]


# ---- where files and storages are


def test_files_are_paths_strings_and_objects(tmp_path):
    for f in (tmp_path / "a.pt", str(tmp_path / "b.pt")):
        runtime.save([1], f)
        assert runtime.load(f) == [1]
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        assert archive.testzip() is None
        assert {name.split("/")[0] for name in archive.namelist()} == {"a"}
    with open(tmp_path / "b.pt", "rb") as file:
        assert runtime.load(file) == [1]
    with gzip.open(tmp_path / "c.gz", "wb") as file:
        runtime.save(runtime.ones(2), file)
    with gzip.open(tmp_path / "c.gz") as file:
        assert runtime.load(file).tolist() == [1, 1]
    with pytest.raises(FileNotFoundError):
        runtime.load(tmp_path / "absent.pt")


@pytest.mark.parametrize("old", [False, True])
def test_a_file_may_begin_with_something_else(tmp_path, old):
    with open(tmp_path / "a", "wb") as file:
        file.write(b"header")
        runtime.save(runtime.ones(2), file, _use_new_zipfile_serialization=not old)
    for weights_only in (True, False):
        with open(tmp_path / "a", "rb") as file:
            file.seek(6)
            assert runtime.load(file, weights_only=weights_only).tolist() == [1, 1]


def test_files_without_a_buffer_are_read_and_written(tmp_path):
    for old in (False, True):
        with open(tmp_path / "a", "wb", buffering=0) as file:
            runtime.save(runtime.ones(2), file, _use_new_zipfile_serialization=not old)
        with open(tmp_path / "a", "rb", buffering=0) as file:
            assert runtime.load(file).tolist() == [1, 1]


def test_objects_that_are_no_files_are_refused():
    with pytest.raises(AttributeError, match="expected 'f' to be string, path, or a file-like object"):
        runtime.save(1, 5)
    read, write = os.pipe()
    os.close(write)
    with open(read, "rb") as stream, pytest.raises(io.UnsupportedOperation, match="You can only torch.load from a file that is seekable"):
        runtime.load(stream)
    with pytest.raises(AttributeError, match="seekable"):
        runtime.load(5)


def test_an_object_that_cannot_be_pickled_leaves_the_file_alone(tmp_path):
    runtime.save(1, tmp_path / "a.pt")
    with pytest.raises((pickle.PicklingError, AttributeError)):
        runtime.save(lambda: 0, tmp_path / "a.pt")
    assert runtime.load(tmp_path / "a.pt") == 1


@pytest.mark.parametrize("old", [False, True], ids=["zip", "legacy"])
def test_storages_go_where_map_location_says(old):
    x = runtime.ones(2)

    def load(where):
        return again(x, {"map_location": where}, _use_new_zipfile_serialization=not old)

    for where in ("cpu", b"cpu", runtime.device("cpu"), {"cpu": "cpu"}, {}, lambda storage, place: storage, lambda storage, place: None):
        assert load(where).tolist() == [1, 1]
    for where in ("meta", runtime.device("meta"), {"cpu": "meta"}):
        assert load(where).device.type == "meta" and load(where).shape == (2,)
    seen = []
    assert load(lambda storage, place: seen.append((storage.nbytes(), place)) or storage.clone()).tolist() == [1, 1]
    assert seen == [(8, "cpu")]
    with pytest.raises(RuntimeError, match=r"Attempting to deserialize object on a CUDA device but torch.cuda.is_available\(\) is False"):
        load("cuda:1")
    with pytest.raises(RuntimeError, match=r"don't know how to restore data location of .*UntypedStorage \(tagged with nowhere\)"):
        load("nowhere")
    with pytest.raises(TypeError, match="map_location"):
        load(3)


def test_packages_tag_and_restore_storages():
    from runtime.serialization import locations

    before = list(locations._packages)
    try:
        serialization.register_package(1, lambda storage: "attic", lambda storage, place: storage.clone() if place == "attic" else None)
        file = saved(runtime.ones(2))
        assert serialization.location_tag(runtime.UntypedStorage(1)) == "attic" and b"attic" in file.getvalue()
        assert runtime.load(file).tolist() == [1, 1]
    finally:
        locations._packages[:] = before
    file.seek(0)
    with pytest.raises(RuntimeError, match="tagged with attic"):
        runtime.load(file)


# ---- mapped files


def test_a_mapped_file_is_read_when_it_is_used_and_never_written(tmp_path):
    path = tmp_path / "a.pt"
    runtime.save({"a": runtime.ones(1000), "b": runtime.empty(0)}, path)
    before = path.read_bytes()
    state = runtime.load(path, mmap=True)
    assert state["a"].data_ptr() % 64 == 0 and state["b"].shape == (0,)
    state["a"].zero_()
    assert path.read_bytes() == before and state["a"].sum() == 0


def test_a_shared_mapping_writes_to_the_file(tmp_path):
    path = tmp_path / "a.pt"
    runtime.save(runtime.ones(4), path)
    with serialization.set_default_mmap_options(mmap.MAP_SHARED):
        assert serialization.get_default_mmap_options() == mmap.MAP_SHARED
        runtime.load(path, mmap=True).fill_(3)
    assert serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
    gc.collect()
    assert runtime.load(path).tolist() == [3, 3, 3, 3]
    with pytest.raises(ValueError, match="expected mmap.MAP_PRIVATE or mmap.MAP_SHARED"):
        serialization.set_default_mmap_options(77)


def test_saving_to_a_mapped_file_leaves_the_mapped_memory_intact(tmp_path):
    path = tmp_path / "a.pt"
    runtime.save(runtime.full((100_000,), 7.0), path)
    x = runtime.load(path, mmap=True)
    runtime.save(x[:1].clone(), path)
    assert x.sum() == 700_000 and runtime.load(path).tolist() == [7.0]
    runtime.save(x, path)
    assert runtime.load(path).sum() == 700_000


def test_mapping_needs_a_path_and_an_archive(tmp_path):
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        runtime.load(saved(1), mmap=True)
    runtime.save(1, tmp_path / "a", _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        runtime.load(tmp_path / "a", mmap=True)


# ---- settings


def test_archives_without_a_byte_order_take_the_default():
    file = saved(runtime.tensor([1, 256], dtype=runtime.int16), _disable_byteorder_record=True)
    assert runtime.load(file).tolist() == [1, 256]
    for order, values in ((serialization.LoadEndianness.BIG, [256, 1]), (serialization.LoadEndianness.NATIVE, [1, 256])):
        file.seek(0)
        serialization.set_default_load_endianness(order)
        try:
            assert serialization.get_default_load_endianness() is order
            assert runtime.load(file).tolist() == values
        finally:
            serialization.set_default_load_endianness(None)
    with pytest.raises(TypeError, match="Invalid argument type"):
        serialization.set_default_load_endianness("big")


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("dtype", [runtime.int8, runtime.int16, runtime.float64, runtime.complex64, runtime.bfloat16, runtime.uint32], ids=str)
def test_files_of_big_endian_machines_are_swapped(tmp_path, dtype, mapped):
    x = pattern(dtype)
    file = saved(x)
    width = dtype.itemsize // (2 if dtype.is_complex else 1)
    swapped = b"".join(contents(x)[at : at + width][::-1] for at in range(0, len(contents(x)), width))
    with zipfile.ZipFile(file) as old, open(tmp_path / "big.pt", "wb") as stream:
        new = ArchiveWriter(stream, "big")
        for name in ("data.pkl", "byteorder", "data/0"):
            new.write(name, {"byteorder": b"big", "data/0": swapped}.get(name) or old.read(f"archive/{name}"))
        new.close()
    y = runtime.load(tmp_path / "big.pt", mmap=mapped)
    # uint32 and other dtypes without a storage class of their own have no width in the file.
    assert contents(y) == (swapped if dtype is runtime.uint32 else contents(x))


def test_old_files_of_big_endian_machines_are_swapped():
    file = saved(runtime.tensor([1, 256], dtype=runtime.int16), _use_new_zipfile_serialization=False)
    content = file.getvalue().replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89")
    assert content != file.getvalue() and runtime.load(io.BytesIO(content)).tolist() == [256, 1]


def test_checksums_can_be_left_out():
    serialization.set_crc32_options(False)
    try:
        assert not serialization.get_crc32_options()
        file = saved(runtime.ones(2))
    finally:
        serialization.set_crc32_options(True)
    assert {entry.CRC for entry in zipfile.ZipFile(file).infolist()} == {0}
    file.seek(0)
    assert runtime.load(file).tolist() == [1, 1]


def test_skipped_data_leave_space_in_the_file():
    x = runtime.ones(100_000)
    with serialization.skip_data():
        file = saved(x)
    full = saved(x)
    assert len(file.getvalue()) == len(full.getvalue())
    assert runtime.load(file).sum() == 0
    with serialization.skip_data():
        assert runtime.load(full).shape == x.shape
        with pytest.raises(RuntimeError, match="Cannot use skip_data=True"):
            saved(x, _use_new_zipfile_serialization=False)


def test_records_begin_at_aligned_offsets_and_files_are_the_same_each_time():
    objects = {"a": runtime.ones(3), "b": [runtime.ones(5, dtype=runtime.int8)]}
    file = saved(objects)
    assert file.getvalue() == saved(objects).getvalue()
    archive = ArchiveReader(Source(file, "file"))
    assert [archive.offset(name) % 64 for name in archive.records] == [0] * len(archive.records)
    assert zipfile.ZipFile(file).testzip() is None


def test_large_archives_have_64_bit_fields():
    stream = io.BytesIO()
    writer = ArchiveWriter(stream, "large", large=100)
    contents = {"data.pkl": b"a" * 50, "data/0": b"b" * 1000, "data/1": b"", "data/2": b"c" * 7}
    for name, data in contents.items():
        writer.write(name, data)
    writer.close()
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(f"large/{name}") for name in contents} == contents
    stream.seek(0)
    reader = ArchiveReader(Source(stream, "file"))
    assert {name: reader.read(name) for name in contents} == contents


def test_archives_that_other_tools_stored_are_read():
    source = zipfile.ZipFile(saved({"a": runtime.arange(5)}))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for entry in source.infolist():
            archive.writestr(entry.filename, source.read(entry))
    file.seek(0)
    assert runtime.load(file)["a"].tolist() == [0, 1, 2, 3, 4]


def test_the_old_format_keeps_views_of_storages():
    file = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(part, file, protocol=2)

    class Pickler(serialization.pickling.Pickler):
        pass

    x, part = runtime.arange(6.0), runtime.arange(6.0)[:2].clone()
    names = {part.untyped_storage()._cdata: ("view", 2, 2)}

    def identify(storage):
        return "storage", LEGACY["FloatStorage"], "0", "cpu", 6, names.get(storage._cdata)

    Pickler(file, 2, identify).dump([x, part])
    pickle.dump(["0"], file, protocol=2)
    file.write(struct.pack("<q", 6) + contents(x))
    file.seek(0)
    whole, view = runtime.load(file)
    assert whole.tolist() == [0, 1, 2, 3, 4, 5] and view.tolist() == [2, 3]
    view.zero_()
    assert whole.tolist() == [0, 1, 0, 0, 4, 5]


def test_importing_the_package_loads_no_files_module():
    import subprocess
    import sys

    code = "import sys, runtime; print([m for m in sys.modules if 'serialization' in m or m in ('runtime.storage', 'zipfile', 'mmap')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


# ---- PyTorch's files


def same(ours, theirs):
    """Whether a tensor of PyTorch's has our dtype, geometry and bits."""
    return (
        str(ours.dtype) == str(theirs.dtype)
        and (tuple(ours.shape), ours.stride(), ours.storage_offset()) == (tuple(theirs.shape), theirs.stride(), theirs.storage_offset())
        and contents(ours) == bytes(theirs.untyped_storage().tolist())
        and (ours.requires_grad, ours.is_conj(), ours.is_neg()) == (theirs.requires_grad, theirs.is_conj(), theirs.is_neg())
    )


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:ComplexHalf support")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_of_every_dtype_are_exchanged(dtype):
    torch = pytest.importorskip("torch")
    x = pattern(dtype).as_strided((2, 2), (1, 3), 1)
    theirs = torch.load(saved(x))
    assert same(x, theirs)
    file = io.BytesIO()
    torch.save(theirs, file)
    file.seek(0)
    assert same(runtime.load(file), theirs)
    if dtype in serialization.pickling._UNTYPED_DTYPES:
        return  # PyTorch cannot read its own old format for these
    theirs = torch.load(saved(x, _use_new_zipfile_serialization=False))
    assert same(x, theirs)
    file = io.BytesIO()
    torch.save([theirs, theirs], file, _use_new_zipfile_serialization=False)
    for weights_only in (True, False):
        file.seek(0)
        y, z = runtime.load(file, weights_only=weights_only)
        assert same(y, theirs) and y is z


@pytest.mark.oracle
def test_our_archives_differ_from_pytorchs_in_their_identity_only():
    torch = pytest.importorskip("torch")

    def objects(t):
        x = t.arange(6.0).reshape(2, 3)
        return OrderedDict(
            a=x, b=x.t()[1:], p=t.nn.Parameter(t.ones(3)), h=t.ones(2, dtype=t.uint16), m=t.empty(2, device="meta"),
            c=t.ones(2, dtype=t.complex64).conj(), s=[t.float32, t.Size([1, 2]), t.device("cpu"), t.strided, {1}, (b"x", 1j, None)],
        )  # fmt: skip

    ours, theirs = saved(objects(runtime)), io.BytesIO()
    torch.save(objects(torch), theirs)
    with zipfile.ZipFile(ours) as a, zipfile.ZipFile(theirs) as b:
        assert [(e.filename, e.header_offset, e.file_size, e.flag_bits, e.extra) for e in a.infolist()] == [
            (e.filename, e.header_offset, e.file_size, e.flag_bits, e.extra) for e in b.infolist()
        ]
        for name in a.namelist():
            assert name.endswith("serialization_id") or a.read(name) == b.read(name), name


@pytest.mark.oracle
def test_state_dicts_of_models_and_optimizers_are_exchanged():
    torch = pytest.importorskip("torch")

    def model(t):
        net = t.nn.Sequential(t.nn.Conv2d(1, 2, 3), t.nn.BatchNorm2d(2), t.nn.Flatten(), t.nn.Linear(8, 2))
        return net, t.optim.Adam(net.parameters(), lr=0.1)

    theirs, their_optimizer = model(torch)
    theirs(torch.ones(2, 1, 4, 4)).sum().backward()
    their_optimizer.step()
    file = io.BytesIO()
    torch.save({"model": theirs.state_dict(), "optimizer": their_optimizer.state_dict()}, file)
    file.seek(0)
    ours, optimizer = model(runtime)
    state = runtime.load(file)
    ours.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    back = torch.load(saved({"model": ours.state_dict(), "optimizer": optimizer.state_dict()}))
    for name, value in theirs.state_dict().items():
        assert torch.equal(back["model"][name], value), name
    other, other_optimizer = model(torch)
    other.load_state_dict(back["model"])
    other_optimizer.load_state_dict(back["optimizer"])
    assert str(other_optimizer.state_dict()) == str(their_optimizer.state_dict())


@pytest.mark.oracle
def test_whole_modules_are_exchanged():
    torch = pytest.importorskip("torch")
    ours = runtime.nn.Sequential(runtime.nn.Linear(3, 2), runtime.nn.ReLU(), runtime.nn.PixelShuffle(1))
    theirs = torch.load(saved(ours), weights_only=False)
    assert repr(theirs) == repr(ours)
    for new in (True, False):
        file = io.BytesIO()
        torch.save(theirs, file, _use_new_zipfile_serialization=new)
        file.seek(0)
        back = runtime.load(file, weights_only=False)
        assert type(back) is runtime.nn.Sequential and runtime.equal(back[0].weight, ours[0].weight)


@pytest.mark.oracle
def test_pytorch_maps_our_files(tmp_path):
    torch = pytest.importorskip("torch")
    runtime.save({"a": runtime.arange(100), "b": runtime.ones(3)}, tmp_path / "a.pt")
    state = torch.load(tmp_path / "a.pt", mmap=True)
    assert state["a"].tolist() == list(range(100)) and state["b"].tolist() == [1, 1, 1]
    meta = torch.load(tmp_path / "a.pt", map_location="meta")
    offsets = [meta[name].untyped_storage()._checkpoint_offset for name in "ab"]
    archive = ArchiveReader(Source(open(tmp_path / "a.pt", "rb"), "a"))  # noqa: SIM115
    assert offsets == [archive.offset("data/0"), archive.offset("data/1")]
    archive.source.file.close()


@pytest.mark.oracle
def test_what_pytorch_refuses_by_default_is_refused_with_its_words():
    torch = pytest.importorskip("torch")
    file = saved([Plain(1)])
    with pytest.raises(pickle.UnpicklingError) as ours:
        runtime.load(file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError) as theirs:
        torch.load(file)
    hint = "Please use `torch.serialization.add_safe_globals("
    line = next(line for line in str(theirs.value).splitlines() if hint in line)
    assert line.strip() in str(ours.value)
    file.seek(0)
    names = serialization.get_unsafe_globals_in_checkpoint(file)
    file.seek(0)
    assert names == torch.serialization.get_unsafe_globals_in_checkpoint(file)


def test_load_and_save_have_their_own_signatures():
    assert "weights_only" in inspect.signature(runtime.load).parameters and "pickle_protocol" in inspect.signature(runtime.save).parameters
    assert runtime.load is serialization.load and "load" in runtime.__all__


def test_load_refuses_keywords_it_does_not_know(tmp_path):
    runtime.save(runtime.ones(1), tmp_path / "x.pt")
    for weights_only in (None, False):
        with pytest.raises(TypeError, match="weight_only|keyword"):
            runtime.load(tmp_path / "x.pt", weights_only=weights_only, weight_only=False)


@pytest.mark.parametrize("weights_only", [True, False])
def test_objects_of_one_legacy_stream_load_one_after_the_other(tmp_path, weights_only):
    with open(tmp_path / "x", "wb") as file:
        for value in range(2):
            runtime.save(runtime.tensor([value]), file, _use_new_zipfile_serialization=False)
        file.write(b"rest")
    with open(tmp_path / "x", "rb") as file:
        assert [runtime.load(file, weights_only=weights_only).item() for _ in range(2)] == [0, 1]
        assert file.read() == b"rest"


@pytest.mark.parametrize("protocol", [0, 1])
@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("weights_only", [True, False])
def test_files_of_the_first_pickle_protocols_are_read(protocol, archive, weights_only):
    value = {"float": -1.5, "bools": [True, False], "text": "a\nb\u1234\\", "long": -(2**70), "tuples": ((), (1, 2)), "set": {3}, "bytes": b"\x80"}
    file = io.BytesIO()
    runtime.save([value, runtime.ones(2)], file, pickle_protocol=protocol, _use_new_zipfile_serialization=archive)
    file.seek(0)
    found, tensor = runtime.load(file, weights_only=weights_only)
    assert found == value and tensor.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("base", [pickle.Unpickler, pickle._Unpickler])
def test_an_unpickler_of_the_caller_is_asked_for_every_name(base):
    asked = []

    class Unpickler(base):
        def find_class(self, module, name):
            asked.append((module, name))
            return super().find_class(module, name)

    file = io.BytesIO()
    runtime.save(runtime.ones(2), file)
    file.seek(0)
    assert runtime.load(file, weights_only=False, pickle_module=types.SimpleNamespace(Unpickler=Unpickler)).tolist() == [1.0, 1.0]
    assert ("torch._utils", "_rebuild_tensor_v2") in asked and ("collections", "OrderedDict") in asked


def test_settings_can_be_patched_for_a_block_or_a_function():
    config = serialization.config
    before = config.save.storage_alignment
    with config.patch("save.storage_alignment", 4096):
        assert config.save.storage_alignment == 4096
    seen = config.patch({"load.mmap": True, "save.compute_crc32": False})(lambda: (config.load.mmap, config.save.compute_crc32))
    assert seen() == seen() == (True, False) and config.save.storage_alignment == before and not config.load.mmap
    with pytest.raises(AttributeError, match="no setting 'save.nothing'"):
        config.patch("save.nothing", 1)


def test_archives_of_a_newer_format_are_refused():
    file, changed = io.BytesIO(), io.BytesIO()
    runtime.save(runtime.ones(1), file)
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, b"999\n" if entry.filename.endswith("/version") else old.read(entry))
    changed.seek(0)
    with pytest.raises(RuntimeError, match="file with version 999, but the maximum supported version for reading is 10"):
        runtime.load(changed)


def test_load_names_the_functions_for_files_of_numpy(tmp_path):
    numpy_files.save_npy(tmp_path / "x.npy", runtime.ones(1))
    numpy_files.save_npz(tmp_path / "x.npz", a=runtime.ones(1))
    assert numpy_files.load_npz(tmp_path / "x.npz")["a"].tolist() == [1.0]
    for kind in ("npy", "npz"):
        with pytest.raises(RuntimeError, match=f"load_{kind}"):
            runtime.load(tmp_path / f"x.{kind}")


def test_typed_tensors_are_not_rebuilt_on_untyped_storages():
    from runtime.serialization import rebuild

    with pytest.raises(AttributeError, match="dtype"):
        rebuild._rebuild_tensor_v2(runtime.UntypedStorage(4), 0, (1,), (1,), False, None)
