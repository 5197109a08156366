"""Damaged and hostile files: no code runs, memory stays in proportion to the file, and there is one error that names the file."""

import io
import pickle
import random
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime import serialization
from runtime._core import Tensor
from runtime.serialization.archive import ArchiveWriter
from runtime.serialization.unpickling import WeightsUnpickler

CLEAR = (RuntimeError, pickle.UnpicklingError, ValueError, EOFError)


class Canary:
    """Unpickling it would be code of the file's choice."""

    ran = 0

    def __reduce__(self):
        return _sing, ()


def _sing():
    Canary.ran += 1
    return 1


class Wide(Tensor):
    pass


def archive_of(content, records=None, name="archive"):
    """An archive with a pickle and storages."""
    file = io.BytesIO()
    writer = ArchiveWriter(file, name)
    writer.write("data.pkl", content)
    for key, data in (records or {"data/0": bytes(24)}).items():
        writer.write(key, data)
    writer.close()
    return file.getvalue()


def loaded(data, **options):
    return runtime.load(io.BytesIO(data), **options)


def refused(content, match="", records=None):
    """The pickle is refused as an archive, within a small multiple of its size of memory."""
    data = archive_of(content, records)
    tracemalloc.start()
    try:
        with pytest.raises(CLEAR, match=match or None) as caught:
            loaded(data)
        assert tracemalloc.get_traced_memory()[1] < 200 * len(data) + (16 << 20)
    finally:
        tracemalloc.stop()
    assert "BytesIO" in str(caught.value)
    return caught.value


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def ints(*values):
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(numel, kind=b"FloatStorage", key="0", location="cpu"):
    return b"(" + text("storage") + b"ctorch\n" + kind + b"\n" + text(key) + text(location) + number(numel) + b"tQ"


def tensor(numel=6, offset=0, size=(2, 3), stride=(3, 1), extra=b"", **options):
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(numel, **options) + number(offset) + ints(*size) + ints(*stride)
    return b"\x80\x02" + rebuilt + b"\x89ccollections\nOrderedDict\n)R" + extra + b"tR."


OBJECTS = OrderedDict(
    a=runtime.arange(6.0).reshape(2, 3).t(),
    b=runtime.ones(2, dtype=runtime.uint16),
    p=runtime.nn.Parameter(runtime.ones(3)),
    m=runtime.empty(2, device="meta"),
    c=runtime.ones(2, dtype=runtime.complex64).conj(),
    s=[{1, (2, 3)}, b"abc", 1.5, True, None, 2**70, "é", runtime.device("cpu"), runtime.float32, runtime.Size([1, 2]), runtime.strided],
)
OBJECTS["p"].tag = {"x": (1, 2)}
OBJECTS.note = 1


def sample(old=False):
    file = io.BytesIO()
    runtime.save(OBJECTS, file, _use_new_zipfile_serialization=not old)
    return file.getvalue()


def test_the_crafted_tensor_is_right_when_its_numbers_are():
    x = loaded(archive_of(tensor()))
    assert x.shape == (2, 3) and x.stride() == (3, 1)


# ---- no code


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("old", [False, True])
def test_no_code_of_the_file_runs(protocol, old):
    file = io.BytesIO()
    runtime.save([Canary()], file, pickle_protocol=protocol, _use_new_zipfile_serialization=not old)
    with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL .*_sing was not an allowed global by default"):
        loaded(file.getvalue())
    assert Canary.ran == 0


@pytest.mark.parametrize(
    "content, match",
    [
        (b"cos\nsystem\n(Vls\ntR.", "GLOBAL os.system whose module os is blocked"),
        (b"cposix\nsystem\n.", "is blocked"),
        (b"csys\nexit\n)R.", "is blocked"),
        (b"cbuiltins\neval\n.", "GLOBAL eval was not an allowed global"),
        (b"c__builtin__\nexec\n.", "GLOBAL exec was not an allowed global"),
        (b"ctorch\nload\n.", "GLOBAL torch.load was not an allowed global"),
        (b"ctorch._utils\n_import_dotted_name\n.", "was not an allowed global"),
        (b"(ios\nsystem\n.", "Unsupported operand 105"),
        (b"(cbuiltins\nset\no.", "Unsupported operand 111"),
        (b"\x82\x01.", "Unsupported operand 130"),
        (b"P1\n.", "Unsupported operand 80"),
        (b"]]R.", "call reduce for unrecognized function of type list"),
        (b"ctorch\nfloat32\n)R.", "call reduce for unrecognized function"),
        (b"ctorch\nTensor\n" + ints(2**40) + b"R.", "call reduce for unrecognized function"),
        (b"ctorch\nTensor\n" + ints(2**40) + b"\x81.", "Can only create new object for nn.Parameter or classes allowlisted"),
        (b"ctorch\nFloatStorage\n" + ints(2**40) + b"R.", "call reduce for unrecognized function"),
        (b"ctorch.storage\nUntypedStorage\n" + ints(2**40) + b"\x81.", "Can only create new object"),
        (b"c__builtin__\nset\n)\x81.", "Can only create new object"),
        (b"](K\x01K\x02u.", "Can only SETITEM for dict"),
        (b"}K\x01a.", "Can only append to lists"),
        (b"}}b.", "Can only build OrderedDict"),
        (b"ctorch.nn.parameter\nParameter\n)R}b.", "Can only build OrderedDict"),
        (b"]\x28K\x01\x90.", "Can only add items to sets"),
        (b"K\x01Q.", "persistent_load id must be tuple"),
        (text("module") + b"\x85Q.", "Only persistent_load of storage is allowed"),
        (b"", "breaks off"),
        (b".", "does not hold one object"),
        (b"NN.", "does not hold one object"),
        (b"N.N", "data follow the end"),
        (b"h\x05.", "memo value 5 was never stored"),
        (b"t.", "there is no mark"),
        (b"\x80\xff.", "unsupported pickle protocol: 255"),
        (b"X\xff\xff\xff\xffabc", "breaks off"),
        (b"\x8d" + b"\xff" * 8 + b"abc", "breaks off"),
        (b"\x8b\xff\xff\xff\x7fabc", "breaks off"),
        (b"ctorch._utils\n_rebuild_parameter\n)R.", "argument"),
    ],
    ids=lambda v: repr(v[:20]) if isinstance(v, bytes) else "",
)  # fmt: skip
def test_what_is_not_data_is_refused(content, match):
    assert isinstance(refused(content, match), pickle.UnpicklingError)


def test_a_rebuild_function_may_not_call_what_the_pickle_may_not():
    for function in (b"ctorch\nTensor\n", b"cbuiltins\nbytearray\n", b"ctorch\nfloat32\n", b"]"):
        refused(b"ctorch._tensor\n_rebuild_from_type_v2\n(" + function + b"ctorch\nTensor\n" + ints(2**40) + b"}tR.")


def test_blocked_modules_stay_blocked():
    import os

    with serialization.safe_globals([(os.system, "os.system")]):
        refused(b"cos\nsystem\n.", "is blocked")


def test_an_error_of_an_allowed_class_reaches_the_caller():
    class Fussy:
        def __setstate__(self, state):
            raise KeyError("its own")

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"cx\nFussy\n)\x81}b.")
    with serialization.safe_globals([(Fussy, "x.Fussy")]), pytest.raises(KeyError, match="its own"):
        loaded(file.getvalue())


# ---- sizes and geometry


@pytest.mark.parametrize(
    "options",
    [
        {"size": (2, 4)}, {"offset": 1}, {"offset": -1}, {"stride": (-3, 1)}, {"size": (-2, 3)}, {"size": (2,)}, {"stride": (2**62, 1)},
        {"stride": (2**63 - 1, 2**63 - 1)}, {"size": (2**62, 2**62), "stride": (0, 0)}, {"size": (2**63, 1)}, {"offset": 2**62},
        {"offset": 2**2000}, {"size": (1,) * 65, "stride": (1,) * 65}, {"size": (2**40, 2**40), "stride": (0, 0)}, {"numel": -1}, {"numel": 7},
        {"numel": 2**62}, {"numel": 2**2000}, {"size": (0, 3), "offset": 7}, {"kind": b"DoubleStorage"}, {"kind": b"QInt32Storage"},
        {"key": "1"}, {"key": "../0"}, {"location": "nowhere"}, {"location": "cuda:0"}, {"extra": b"K\x01"}, {"extra": b"}X\x01\x00\x00\x00ak\x01s"},
        {"extra": b"}" + text("conj") + b"\x88s"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("mapped", [False, True])
def test_tensors_lie_inside_their_storage(tmp_path, options, mapped):
    if not mapped:
        if "location" in options:
            with pytest.raises(RuntimeError):
                loaded(archive_of(tensor(**options)))
        elif options.get("kind") == b"QInt32Storage" or options.get("size") == (2**40, 2**40):
            with pytest.raises(CLEAR):
                loaded(archive_of(tensor(**options)))
        else:
            refused(tensor(**options))
        return
    (tmp_path / "a.pt").write_bytes(archive_of(tensor(**options)))
    with pytest.raises(CLEAR):
        runtime.load(tmp_path / "a.pt", mmap=True)


def test_elements_of_a_size_and_stride_are_ints():
    for size in (b"(N\x85t", b"]", b"}", text("ab"), b"(G" + bytes(8) + b"t", b"(\x88t"):
        content = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(6) + number(0) + size + ints(1) + b"\x89NtR."
        refused(content)


def test_meta_tensors_and_wrappers_are_checked_too():
    for size, stride in (((2**62, 2**62), (1, 1)), ((-1,), (1,)), ((2**70,), (1,))):
        refused(b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(ctorch\nfloat32\n" + ints(*size) + ints(*stride) + b"\x89tR.")
    refused(b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(N" + ints(1) + ints(1) + b"\x89tR.", "dtype")
    refused(b"ctorch._utils\n_rebuild_wrapper_subclass\n(NNNNNNNNtR.", "subclass")


def test_other_layouts_say_what_to_do():
    for function, match in (
        (b"_rebuild_sparse_tensor\n(NNt", "to_dense"),
        (b"_rebuild_qtensor\n(NNNNNNNt", "typed storage"),
        (b"_rebuild_nested_tensor\n(NNNNt", "nested"),
    ):
        refused(b"ctorch._utils\n" + function + b"R.", match)


def test_allocations_follow_the_file_not_its_claims():
    refused(b"cbuiltins\nbytearray\n" + ints(2**40) + b"R.", "made of bytes")
    refused(b"cbuiltins\nbytes\n" + ints(2**40) + b"R.", "made of bytes")
    refused(b"ctorch\nSize\n" + ints(2**40) + b"R.", "tuple")
    refused(b"c_codecs\nencode\n" + text("aaa") + text("punycode") + b"\x86R.", "latin-1")
    refused(b"ccollections\nCounter\n" + text("a") + b"\x85R.", "made of a dict")
    refused(b"cbuiltins\ncomplex\n" + text("1" * 100) + b"\x85R.", "two numbers")


def test_repetitions_of_one_object_do_not_multiply_it():
    many = b"](" + b"".join(b"M" + struct.pack("<H", n) for n in range(30_000)) + b"eq\x00"
    calls = b"](cbuiltins\nset\nq\x01" + b"h\x01h\x00\x85R" * 5_000 + b"e."
    refused(many + b"0" + calls, "repeats its parts")
    mapping = b"}(" + b"".join(text(f"k{n}") + b"N" for n in range(20_000)) + b"uq\x00"
    states = b"](ccollections\nOrderedDict\nq\x01" + b"h\x01)Rh\x00b" * 5_000 + b"e."
    refused(mapping + b"0" + states, "repeats its parts")


def test_keys_that_would_be_hashed_for_ever_are_refused():
    deep = b")" + b"\x85" * 3_000
    doubled = b"N" + b"2\x86" * 60
    for key in (deep, doubled):
        refused(b"}" + key + b"Ns.")
        refused(b"cbuiltins\nset\n](" + key + b"e\x85R.")
        refused(b"\x8f(" + key + b"\x90.")
        refused(b"(" + key + b"\x91.")
        refused(b"ccollections\nOrderedDict\n](" + key + b"N\x86e\x85R.")
        refused(key + b")R.", "unrecognized function")
        refused(key + b"Q.", "Only persistent_load|persistent")
        refused(b"ctorch\nSize\n" + key + b"\x85R.")
        refused(b"ctorch\ndevice\n" + key + b"\x85R.")
        refused(b"ctorch.serialization\n_get_layout\n" + key + b"\x85R.")
        refused(tensor(extra=key))
        refused(b"cbuiltins\nslice\n" + key + b"\x85R.")
        refused(b"ctorch._utils\n_rebuild_wrapper_subclass\n(" + key * 1 + b"NNNNNNNtR.")


def test_deep_nesting_alone_is_no_error():
    content = b"]" * 100_000 + b"a" * 99_999 + b"."
    value = loaded(archive_of(content))
    for _ in range(5):
        value = value[0]
    del value


def test_nested_rebuild_calls_end_with_an_error():
    inner = b"ctorch._tensor\n_rebuild_from_type_v2\n("
    refused(inner + b"ctorch._tensor\n_rebuild_from_type_v2\nq\x00ctorch\nTensor\nq\x01(" + b"h\x00h\x01(" * 5_000 + b"N}t" * 5_000 + b"N}tN}tR.")


# ---- archives


def entries(data):
    return zipfile.ZipFile(io.BytesIO(data)).infolist()


def test_an_archive_that_breaks_off_says_so_at_every_length():
    data = archive_of(tensor())
    for length in range(len(data)):
        with pytest.raises(CLEAR) as caught:
            loaded(data[:length])
        assert "BytesIO" in str(caught.value)


def test_an_old_file_that_breaks_off_says_so_at_every_length():
    data = sample(old=True)
    for length in range(0, len(data), 3):
        with pytest.raises(CLEAR) as caught:
            loaded(data[:length])
        assert "BytesIO" in str(caught.value)


def central(data, index):
    """Where the directory describes an entry."""
    position = data.rindex(b"PK\x06\x06")
    position = struct.unpack_from("<Q", data, position + 48)[0]
    for _ in range(index):
        position += 46 + sum(struct.unpack_from("<3H", data, position + 28))
    return position


@pytest.mark.parametrize("offset, form, value", [
    (20, "<I", 0xFFFFFFF0), (24, "<I", 0xFFFFFFF0), (20, "<I", 0xFFFFFFFF), (42, "<I", 0xFFFFFFF0), (42, "<I", 0), (10, "<H", 8), (10, "<H", 99),
    (8, "<H", 1), (28, "<H", 60000), (30, "<H", 60000), (0, "<I", 0), (24, "<I", 25), (20, "<I", 25),
])  # fmt: skip
def test_a_directory_that_lies_is_refused(offset, form, value):
    data = bytearray(archive_of(tensor()))
    struct.pack_into(form, data, central(bytes(data), 1) + offset, value)
    with pytest.raises(RuntimeError, match="PytorchStreamReader failed .*BytesIO"):
        loaded(bytes(data))


def test_records_that_share_bytes_are_refused():
    data = bytearray(archive_of(b"N.", {f"data/{n}": bytes(1000) for n in range(3)}))
    first = struct.unpack_from("<I", data, central(bytes(data), 1) + 42)[0]
    struct.pack_into("<I", data, central(bytes(data), 2) + 42, first)
    with pytest.raises(RuntimeError, match="overlaps"):
        loaded(bytes(data))


def test_two_records_of_one_name_are_refused():
    with pytest.warns(UserWarning, match="Duplicate name"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a/data.pkl", b"N.")
            archive.writestr("a/data.pkl", b"\x88.")
    with pytest.raises(RuntimeError, match="there are two records"):
        loaded(file.getvalue())


def test_compressed_records_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"N." * 10_000)
    with pytest.raises(RuntimeError, match="compressed"):
        loaded(file.getvalue())


def test_a_record_whose_checksum_is_wrong_is_refused():
    data = bytearray(archive_of(b"X\x04\x00\x00\x00word."))
    data[data.index(b"word")] ^= 1
    with pytest.raises(RuntimeError, match=r"archive/data\.pkl.*checksum"):
        loaded(bytes(data))


def test_records_that_are_missing_are_named():
    with pytest.raises(RuntimeError, match="failed locating file data/7"):
        loaded(archive_of(tensor(key="7")))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/other", b"")
    with pytest.raises(RuntimeError, match=r"failed locating file data\.pkl"):
        loaded(file.getvalue())
    with pytest.raises(RuntimeError, match="Unknown endianness type: middle"):
        loaded(archive_of(b"N.", {"byteorder": b"middle"}))
    with pytest.raises(RuntimeError, match="TorchScript"):
        loaded(archive_of(b"N.", {"constants.pkl": b"N."}))
    with pytest.raises(EOFError, match="empty"):
        loaded(b"")


def test_a_path_outside_is_a_name_like_any_other(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(24))
    for key in ("../../secret", "/etc/passwd", "0/../../x", "\0"):
        with pytest.raises(RuntimeError, match="failed locating file"):
            loaded(archive_of(tensor(key=key)))


# ---- the old format


def old_file(content, keys=b"](X\x01\x00\x00\x000e.", tail=b"\x06" + bytes(7 + 24)):
    head = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return head + content + keys + tail


def old_tensor(numel=6, key="0", view=b"N", size=(2, 3)):
    reference = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(numel) + view + b"tQ"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + reference + number(0) + ints(*size) + ints(3, 1) + b"\x89NtR."


def test_the_crafted_old_file_is_right_when_its_numbers_are():
    assert loaded(old_file(old_tensor())).shape == (2, 3)


@pytest.mark.parametrize("data, match", [
    (b"hello", "Invalid magic number"), (pickle.dumps(1), "Invalid magic number"), (old_file(old_tensor(numel=2**50)), "claims"),
    (old_file(old_tensor(numel=-1)), "no size"), (old_file(old_tensor(size=(3, 3))), "needs 36 bytes"),
    (old_file(old_tensor(), tail=struct.pack("<q", 6) + bytes(23)), "said to have 24 bytes"),
    (old_file(old_tensor(), tail=struct.pack("<q", 7) + bytes(28)), "said to have 24 bytes"),
    (old_file(old_tensor(), tail=struct.pack("<q", -1)), "said to have"), (old_file(old_tensor(), tail=b"abc"), "breaks off"),
    (old_file(old_tensor(), keys=b"](X\x01\x00\x00\x001e."), "list of storages"), (old_file(old_tensor(), keys=b"N."), "list of storages"),
    (old_file(old_tensor(view=b"K\x01")), "part of a storage"),
    (old_file(old_tensor(view=b"(" + text("v") + number(5) + number(2) + b"t")), "begins at"),
    (old_file(old_tensor(view=b"(" + text("v") + number(-1) + number(2) + b"t")), "begins at"),
], ids=range(14))  # fmt: skip
def test_old_files_are_checked(data, match):
    with pytest.raises(CLEAR, match=match) as caught:
        loaded(data)
    assert "BytesIO" in str(caught.value)


# ---- fuzzing


def mutated(data, source):
    """Bytes with some replaced, removed, or repeated; `source` gives random numbers."""
    data = bytearray(data)
    for _ in range(source.choice([1, 1, 2, 4, 16])):
        at = source.randrange(len(data))
        what = source.randrange(4)
        if what == 0:
            data[at] = source.randrange(256)
        elif what == 1:
            data[at] ^= 1 << source.randrange(8)
        elif what == 2 and len(data) > 40:
            del data[at : at + source.randrange(1, 20)]
        else:
            start = source.randrange(len(data))
            data[at:at] = data[start : start + source.randrange(1, 40)]
    return bytes(data)


def survives(data):
    """Loading gives an object or a clear error."""
    with serialization.safe_globals([(Wide, "test.Wide")]):
        try:
            loaded(data)
        except CLEAR:
            return
        except AttributeError as error:  # of the class that was allowed
            assert "Wide" in str(error)


def fuzz(count, seed):
    source = random.Random(seed)
    whole, old = sample(), sample(old=True)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        content = archive.read("archive/data.pkl")
        records = {name: archive.read(f"archive/data/{n}") for n in range(4) for name in [f"data/{n}"]}
    tracemalloc.start()
    try:
        for _ in range(count):
            survives(mutated(whole, source))
            survives(mutated(old, source))
            survives(archive_of(mutated(content, source), records))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_mutated_files_give_an_object_or_a_clear_error():
    fuzz(150, seed=1)


@pytest.mark.slow
def test_many_mutated_files_give_an_object_or_a_clear_error():
    for seed in range(2, 5):
        fuzz(2_000, seed)


_GLOBALS = sorted(f"{name.rpartition('.')[0]}\n{name.rpartition('.')[2]}\n" for name in serialization.default_globals())
_OPCODES = st.one_of(
    st.sampled_from([bytes([code]) for code, handler in enumerate(serialization.unpickling._HANDLERS) if handler is not None and code != ord(".")]),
    st.sampled_from(["c" + name for name in _GLOBALS]).map(str.encode),
    st.sampled_from([b"(t", b"]", b"}", b")", b"N", b"\x85", b"\x86", b"\x87", b"R", b"b", b"\x81", b"Q", b"s", b"q\x00", b"h\x00", b"K\x02"]),
    st.integers(-(2**65), 2**65).map(number),
    st.sampled_from(["storage", "0", "cpu", "latin1", "conj", "data", "grad", "requires_grad", "__class__", "__dict__", "torch.strided"]).map(text),
    st.just(storage(6)),
    st.just(tensor()[2:-1]),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(_OPCODES, max_size=30))
def test_any_sequence_of_opcodes_gives_an_object_or_a_clear_error(codes):
    survives(archive_of(b"".join(codes) + b"."))


def test_a_file_brings_no_hooks():
    hooks = b"}K\x00cbuiltins\nbytearray\ns"
    refused(tensor().replace(b"ccollections\nOrderedDict\n)R", hooks), "hooks")
    refused(b"ctorch._utils\n_rebuild_parameter\n(" + tensor()[2:-1] + b"\x89" + hooks + b"tR.", "hooks")
    function = b"ctorch._utils\n_rebuild_tensor_v2\n"
    args = tensor()[2:-1].removeprefix(function)[:-1]
    state = b"}" + text("_backward_hooks") + hooks + b"s"
    refused(b"ctorch._tensor\n_rebuild_from_type_v2\n(" + function + b"ctorch\nTensor\n" + args + state + b"tR.", "sets _backward_hooks")
    refused(b"ctorch._utils\n_rebuild_parameter_with_state\n(" + tensor()[2:-1] + b"\x89}" + state + b"tR.", "sets _backward_hooks")


def test_attributes_from_a_file_cannot_harm_a_tensor():
    function = b"ctorch._utils\n_rebuild_tensor_v2\n"
    args = tensor()[2:-1].removeprefix(function)[:-1]
    for name in sorted(set(dir(Tensor))):
        for value in (b"N", b"}", text("x"), b"K\x01", tensor()[2:-1]):
            state = b"}" + text(name) + value + b"s"
            content = b"ctorch._tensor\n_rebuild_from_type_v2\n(" + function + b"ctorch\nTensor\n" + args + state + b"tR."
            survives(archive_of(content))


def test_the_interpreter_reads_what_pickle_writes():
    values = [None, 1, -1, 2**40, 1.5, "a", b"b", [1, {2: (3,)}], {4}, OrderedDict(a=1)]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(values, protocol)
        reader = WeightsUnpickler(data + b"more")
        assert reader.load() == values and reader.position == len(data)
