"""Files of safetensors and NumPy, and typed storages: what their own packages write is read, and the reverse; damaged files are refused."""

import io
import json
import pickle
import random
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import runtime
from runtime.serialization.numpy_files import load_npy, load_npz, save_npy, save_npz
from runtime.storage import LEGACY, TypedStorage

ARRAYS = {
    "matrix": np.arange(6).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "reversed axes": np.arange(24, dtype="f4").reshape(2, 3, 4).T,
    "big endian": np.arange(6, dtype=">i4"),
    "big endian complex": np.array([[1 + 2j, 3j]], dtype=">c8"),
    "scalar": np.float32(3),
    "empty": np.zeros((0, 2)),
    "bools": np.array([True, False]),
    "uint16": np.arange(3, dtype=np.uint16),
}


def bits(tensor):
    return tensor.contiguous().view(-1).view(runtime.uint8).tolist() if tensor.numel() else []


# ---- NumPy


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays_are_exchanged_with_numpy(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", x=array, y=array)
    np.savez_compressed(tmp_path / "b.npz", x=array)
    with open(tmp_path / "a.npy", "rb") as file:
        tensors = [load_npy(file), load_npy(tmp_path / "a.npy"), load_npy(tmp_path / "a.npy", mmap=True)]
    tensors += [*load_npz(tmp_path / "a.npz").values(), load_npz(tmp_path / "b.npz")["x"]]
    for x in tensors:
        assert x.shape == array.shape and np.array_equal(x.numpy(), array) and x.numpy().dtype == array.dtype.newbyteorder("=")
    save_npy(tmp_path / "c.npy", x)
    assert np.array_equal(np.load(tmp_path / "c.npy", allow_pickle=False), array)
    for compressed in (False, True):
        file = io.BytesIO()
        save_npz(file, {"x": x, "path/y": x}, compressed=compressed)
        file.seek(0)
        with np.load(file) as back:
            assert back.files == ["x", "path/y"] and np.array_equal(back["path/y"], array)


def test_a_mapped_array_is_copied_when_it_is_written(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(4))
    x = load_npy(tmp_path / "a.npy", mmap=True)
    x.zero_()
    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2, 3]
    save_npy(tmp_path / "a.npy", runtime.ones(1))
    assert x.tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="file path"):
        load_npy(io.BytesIO(), mmap=True)


def test_lazy_bits_are_resolved_for_numpy():
    file = io.BytesIO()
    save_npy(file, runtime.tensor([1 + 2j]).conj())
    file.seek(0)
    assert load_npy(file).tolist() == [1 - 2j]


@pytest.mark.parametrize("dtype", [runtime.bfloat16, runtime.float8_e5m2, runtime.complex32], ids=str)
def test_dtypes_that_numpy_does_not_have_are_refused(dtype):
    with pytest.raises(TypeError, match=f"NumPy has no {dtype}; .*runtime.save"):
        save_npy(io.BytesIO(), runtime.empty(2, dtype=dtype))


@pytest.mark.parametrize("dtype", ["O", "U3", "S3", "V2", "M8[s]", "longdouble", [("a", "i4")]], ids=str)
def test_what_is_no_number_is_refused(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.zeros(2, dtype), allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=np.zeros(2, dtype))
    for load, name in ((load_npy, "a.npy"), (load_npz, "a.npz")):
        with pytest.raises(ValueError, match=f"{name}.* has elements of"):
            load(tmp_path / name)


def npy(shape="(1,)", data=b"", descr="'<f8'", order=False, header=None):
    text = (header or f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}").encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x93NUM", b"hello world", b"\x93NUMPY\x09\x00" + bytes(20), npy("(1099511627776,)"), npy("(-1,)", bytes(8)), npy("(2,)", bytes(15)),
        npy("(1.5,)", bytes(16)), npy(header="__import__('os').getpid()"), npy(header="(" * 5000), npy(header="{" * 9000),
        npy("(4611686018427387904, 4)"), npy("(1,)", b"cos\n", "'|O'"), npy("()", bytes(8), order=7), npy("()", bytes(16), "('<f8', (2,))"),
    ],
    ids=range(15),
)  # fmt: skip
def test_damaged_arrays_are_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    for mmap in (False, True):
        with pytest.raises(ValueError, match=r"a\.npy"):
            load_npy(tmp_path / "a.npy", mmap=mmap)
    with pytest.raises(ValueError, match=r"a\.npz.*x\.npy"):
        load_npz(tmp_path / "a.npz")


def test_damaged_archives_of_arrays_are_refused():
    file = io.BytesIO()
    np.savez_compressed(file, x=np.arange(50), y=np.ones(3))
    data = file.getvalue()
    source = random.Random(0)
    damaged = [data[:n] for n in range(0, len(data), 7)]
    for _ in range(300):
        changed = bytearray(data)
        changed[source.randrange(len(data))] ^= 1 << source.randrange(8)
        damaged.append(bytes(changed))
    failed = 0
    for content in damaged:
        try:
            load_npz(io.BytesIO(content))
        except ValueError:
            failed += 1
    assert failed > 150
    with pytest.raises(FileNotFoundError):
        load_npz("/nowhere/at/all.npz")


def test_members_that_are_no_arrays_or_come_twice_are_refused():
    for names in (["x.txt"], ["x.npy", "x.npy"]):
        file = io.BytesIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *args, **kwargs: None)
            with zipfile.ZipFile(file, "w") as archive:
                for name in names:
                    archive.writestr(name, npy("()", bytes(8)))
        file.seek(0)
        with pytest.raises(ValueError, match=r"x\.(txt|npy)"):
            load_npz(file)


# ---- safetensors


@pytest.fixture
def st():
    pytest.importorskip("safetensors")
    from runtime.serialization import safetensors

    return safetensors


def pattern(dtype, *size):
    nbytes = int(np.prod(size)) * dtype.itemsize
    content = [(i * 37 + 200) % 256 if dtype is not runtime.bool else i % 2 for i in range(nbytes)]
    return runtime.empty(0, dtype=dtype).set_(runtime.UntypedStorage(content), 0, size)


def test_safetensors_files_come_back_bit_by_bit(st, tmp_path):
    tensors = {str(dtype): pattern(dtype, 2, 3) for dtype in st._DTYPES.values()}
    tensors |= {"scalar": runtime.tensor(2.5), "empty": runtime.empty(0, 3)}
    st.save_file(tensors, tmp_path / "a.safetensors", metadata={"format": "pt"})
    data = (tmp_path / "a.safetensors").read_bytes()
    assert data == st.save(tensors, {"format": "pt"})
    for loaded in (
        st.load(data), st.load_file(tmp_path / "a.safetensors"), st.load_file(str(tmp_path / "a.safetensors"), backend="pread"),
        runtime.load(tmp_path / "a.safetensors"), runtime.load(str(tmp_path / "a.safetensors"), map_location="cpu"),
    ):  # fmt: skip
        assert loaded.keys() == tensors.keys()
        for name, x in tensors.items():
            y = loaded[name]
            assert (y.dtype, y.shape) == (x.dtype, x.shape)
            assert bytes(y.untyped_storage())[: x.numel() * x.element_size()] == bytes(x.untyped_storage())[: x.numel() * x.element_size()]


def test_mapped_tensors_can_be_written_and_the_file_replaced(st, tmp_path):
    path = tmp_path / "a.safetensors"
    st.save_file({"x": runtime.ones(100_000)}, path)
    before = path.read_bytes()
    x = st.load_file(path)["x"]
    x[0] = 5
    assert path.read_bytes() == before
    st.save_file({"x": runtime.zeros(1)}, path)
    assert x.sum() == 100_004
    assert st.load_file(path, device="meta")["x"].device.type == "meta"


def test_tensors_that_the_format_cannot_hold_are_refused(st):
    x = runtime.ones(4)
    with pytest.raises(RuntimeError, match=r"Some tensors share memory.*\['a', 'b'\]"):
        st.save({"a": x, "b": x[:2]})
    st.save({"a": x[:2], "b": x[2:]})
    with pytest.raises(ValueError, match="non contiguous tensor: `a`"):
        st.save({"a": runtime.ones(2, 3).t()})
    with pytest.raises(ValueError, match="Key `a` is invalid, expected torch.Tensor"):
        st.save({"a": 1})
    with pytest.raises(ValueError, match=r"Expected a dict"):
        st.save([x])
    with pytest.raises(ValueError, match="`a` is a torch.complex128 tensor"):
        st.save({"a": x.to(runtime.complex128)})


def test_models_with_tied_weights_are_saved_once(st, tmp_path):
    class Tied(runtime.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = runtime.nn.Linear(3, 3)
            self.b = runtime.nn.Linear(3, 3)
            self.b.weight = self.a.weight

    model, other = Tied(), Tied()
    st.save_model(model, tmp_path / "m.safetensors")
    assert set(st.load_file(tmp_path / "m.safetensors")) == {"a.weight", "a.bias", "b.bias"}
    assert st.load_model(other, tmp_path / "m.safetensors") == (set(), [])
    assert runtime.equal(other.b.weight, model.a.weight) and other.b.weight is other.a.weight
    with pytest.raises(RuntimeError, match=r'Error\(s\) in loading state_dict for Linear:\n    Missing key\(s\) in state_dict: "bias", "weight"'):
        st.load_model(runtime.nn.Linear(1, 1), tmp_path / "m.safetensors")


def test_loading_safetensors_maps_devices_only(st, tmp_path):
    st.save_file({"x": runtime.ones(1)}, tmp_path / "a.safetensors")
    for where, kind in (({"cpu": "cpu"}, "dict"), (lambda storage, place: storage, "callable")):
        with pytest.raises(RuntimeError, match=f"Loading safetensors file with {kind} map_location is not supported"):
            runtime.load(tmp_path / "a.safetensors", map_location=where)


def safetensors_file(header, data=b""):
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"", b"1234", b"\xff" * 20, safetensors_file("{"), safetensors_file("[]"), safetensors_file({"x": 1}), safetensors_file("{" * 1000),
        safetensors_file({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(7)),
        safetensors_file({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(9)),
        safetensors_file({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8)),
        safetensors_file({"x": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 8]}}, bytes(8)),
        safetensors_file({"x": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, bytes(8)),
        safetensors_file({"x": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
        safetensors_file({"x": {"dtype": "F4", "shape": [16], "data_offsets": [0, 8]}}, bytes(8)),
        safetensors_file({n: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for n in "xy"}, bytes(8)),
        safetensors_file({"x": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, bytes(8)),
    ],
    ids=range(16),
)  # fmt: skip
def test_damaged_safetensors_files_are_refused(st, tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(st.SafetensorError, match=r"a\.safetensors: "):
        runtime.load(tmp_path / "a.safetensors")
    with pytest.raises(st.SafetensorError):
        st.load(content)


@pytest.mark.oracle
def test_safetensors_are_exchanged_with_pytorch(st, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    tensors = {str(dtype): pattern(dtype, 2, 3) for code, dtype in st._DTYPES.items() if code != "F8_E8M0"}
    st.save_file(tensors, tmp_path / "a.safetensors", metadata={"k": "v"})
    theirs = load_file(tmp_path / "a.safetensors")
    save_file(theirs, tmp_path / "b.safetensors", metadata={"k": "v"})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    for name, x in st.load_file(tmp_path / "b.safetensors").items():
        assert str(theirs[name].dtype) == name and bits(x) == theirs[name].view(-1).view(torch.uint8).tolist()


def test_the_packages_own_functions_work_on_this_runtime(st, tmp_path):
    code = """
from runtime import compat
compat.install()
import sys, torch
from safetensors.torch import load_file, save_file
x = {"a": torch.ones(3), "b": torch.arange(4).to(torch.bfloat16)}
save_file(x, sys.argv[1])
assert all(torch.equal(load_file(sys.argv[1])[name], x[name]) for name in x)
print(torch.load(sys.argv[1])["b"])
"""
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.safetensors")], capture_output=True, text=True)
    assert run.stdout == "tensor([0., 1., 2., 3.], dtype=torch.bfloat16)\n", run.stderr


# ---- typed storages


def test_typed_storages_see_memory_as_elements():
    x = runtime.tensor([1.0, 2.0, 3.0])
    storage = TypedStorage(wrap_storage=x.untyped_storage(), dtype=x.dtype)
    assert (len(storage), storage.size(), storage.nbytes(), storage.element_size()) == (3, 3, 12, 4)
    assert storage.tolist() == list(storage) == [1, 2, 3] and storage[-1] == 3 and storage.data_ptr() == x.data_ptr()
    storage[1] = 7
    storage[2:] = 9
    assert x.tolist() == [1, 7, 9]
    part = storage[1:]
    part.fill_(0)
    assert x.tolist() == [1, 0, 0] and len(part) == 2
    assert (
        storage.type() == "torch.FloatStorage"
        and storage.double().dtype is runtime.float64
        and storage.type("torch.LongStorage").tolist() == [1, 0, 0]
    )
    assert storage.clone() != storage and storage.untyped() is x.untyped_storage()
    assert TypedStorage(wrap_storage=x.untyped_storage(), dtype=x.dtype) == storage
    with pytest.raises(IndexError, match="index 3 out of range for storage of size 3"):
        storage[3]
    with pytest.raises(RuntimeError, match="step of 2"):
        storage[::2]


def test_classes_of_typed_storages_make_and_recognise_them():
    ints = LEGACY["IntStorage"]
    storage = ints([1, 2])
    assert storage.dtype is runtime.int32 and storage.tolist() == [1, 2] and len(ints(3)) == 3
    assert isinstance(storage, ints) and not isinstance(storage, LEGACY["LongStorage"]) and isinstance(storage, TypedStorage)
    assert storage.copy_(LEGACY["FloatStorage"]([3, 4])).tolist() == [3, 4]
    assert storage.resize_(1).tolist() == [3]
    with pytest.raises(RuntimeError, match="wrap_storage"):
        TypedStorage(3, wrap_storage=storage.untyped())
    with pytest.raises(TypeError, match="must be UntypedStorage"):
        TypedStorage(wrap_storage=3)


def test_typed_storages_are_copied_and_pickled():
    import copy
    import pickle

    storage = LEGACY["FloatStorage"]([1, 2])
    for other in (copy.copy(storage), copy.deepcopy(storage), pickle.loads(pickle.dumps(storage))):
        assert other.tolist() == [1, 2] and other.dtype is runtime.float32 and other.data_ptr() != storage.data_ptr()


@pytest.mark.oracle
def test_files_of_pytorch_refer_to_its_functions_and_named_results(tmp_path):
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(2, 2)
    layer.act = torch.relu
    functions = [torch.nn.functional.relu, torch.nn.functional.gelu, torch.conv2d, torch.special.erf, torch.linalg.norm, torch.fft.fft]
    torch.save([layer, functions, torch.ones(2, 2).max(0)], tmp_path / "x.pt")
    found, ours, result = runtime.load(tmp_path / "x.pt", weights_only=False)
    F = runtime.nn.functional
    assert found.act is runtime.relu and result.indices.tolist() == [0, 0]
    assert ours == [F.relu, F.gelu, runtime.conv2d, runtime.special.erf, runtime.linalg.norm, runtime.fft.fft]


@pytest.mark.oracle
def test_pytorch_loads_functions_layers_and_named_results_of_ours(tmp_path):
    torch = pytest.importorskip("torch")
    F = runtime.nn.functional
    lstm = runtime.nn.LSTM(2, 3)
    functions = [F.relu, F.pad, runtime.relu, runtime.special.erf, runtime.block_diag, runtime.pca_lowrank]
    runtime.save([lstm, functions, runtime.ones(2, 2).max(0), runtime.nn.TransformerEncoderLayer(4, 2)], tmp_path / "x.pt")
    found, theirs, result, _ = torch.load(tmp_path / "x.pt", weights_only=False)
    assert theirs == [torch.nn.functional.relu, torch.nn.functional.pad, torch.relu, torch.special.erf, torch.block_diag, torch.pca_lowrank]
    assert result.values.tolist() == [1.0, 1.0]
    torch.testing.assert_close(found(torch.ones(1, 2))[0], torch.tensor(lstm(runtime.ones(1, 2))[0].tolist()))


@pytest.mark.oracle
def test_plain_pickles_of_pytorch_load_under_compat(tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([torch.ones(2), torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))]))
    code = f"""
from runtime import compat
compat.install()
import pickle, torch
x, y = pickle.load(open({str(tmp_path / "x.pkl")!r}, "rb"))
assert x.tolist() == [1.0, 1.0] and type(y) is torch.nn.Parameter and y.dtype is torch.bfloat16
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.oracle
def test_a_generator_of_pytorch_is_refused_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.Generator(), tmp_path / "x.pt")
    with pytest.raises(NotImplementedError, match="random generator of PyTorch's"):
        runtime.load(tmp_path / "x.pt", weights_only=False)
