"""The value classes: dtype, device, layout, memory_format, Size, finfo, iinfo, Generator."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime import _core

DTYPES = sorted(_core.dtype_names)


def test_dtypes_are_singletons_under_all_their_names():
    assert runtime.long is runtime.int64 and runtime.half is runtime.float16 and runtime.double is runtime.float64
    assert repr(runtime.float32) == str(runtime.float32) == "torch.float32"


def test_values_survive_pickling_and_copying_as_themselves():
    for value in (
        runtime.float32,
        runtime.bool,
        runtime.strided,
        runtime.sparse_csr,
        runtime.channels_last,
        runtime.preserve_format,
    ):
        assert pickle.loads(pickle.dumps(value)) is value
        assert copy.deepcopy(value) is value and copy.copy(value) is value


@pytest.mark.parametrize("cls", [runtime.dtype, runtime.layout, runtime.memory_format])
def test_closed_sets_of_values_cannot_be_added_to(cls):
    for make in (cls, lambda: cls.__new__(cls)):
        with pytest.raises(TypeError, match="cannot create"):
            make()


def test_an_inference_of_complex_needs_a_float():
    assert runtime.float32.to_complex() is runtime.complex64
    assert runtime.complex128.to_real() is runtime.float64
    with pytest.raises(RuntimeError, match="Unknown Complex ScalarType for Int"):
        runtime.int32.to_complex()


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("cpu",), "device(type='cpu')"),
        (("cuda:0",), "device(type='cuda', index=0)"),
        (("cuda", 1), "device(type='cuda', index=1)"),
        (("meta",), "device(type='meta')"),
        (("cuda", None), "device(type='cuda')"),
    ],
)
def test_devices_print_as_constructor_calls(arguments, text):
    assert repr(runtime.device(*arguments)) == text
    assert eval(text, {"device": runtime.device}) == runtime.device(*arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("foo",), "Expected one of cpu, cuda"),
        (("",), "Device string must not be empty"),
        (("cuda:",), "Invalid device string: 'cuda:'"),
        (("cuda:01",), "Invalid device string: 'cuda:01'"),
        (("cuda:-1",), "Invalid device string: 'cuda:-1'"),
        (("cuda:0:1",), "Invalid device string"),
        (("cuda:1", 1), "type .string. must not include an index because index was passed explicitly: cuda:1"),
        (("cpu", -1), "Device index must not be negative"),
        ((-1,), "Device index must not be negative"),
        (("cuda:99999999999999999999",), "Invalid device string"),
        (("cuda", 10**30), "is too large"),
    ],
)
def test_malformed_devices_are_refused(arguments, message):
    with pytest.raises(RuntimeError, match=message):
        runtime.device(*arguments)


@pytest.mark.parametrize("arguments", [(), (None,), (3.5,), ("cuda", "a"), ("cuda", 1, 2)])
def test_device_arguments_of_wrong_types_are_type_errors(arguments):
    with pytest.raises(TypeError, match=r"device\(\)"):
        runtime.device(*arguments)


def test_devices_compare_by_value_and_have_no_order():
    assert runtime.device("cuda:0") == runtime.device("cuda", 0) != runtime.device("cuda")
    assert hash(runtime.device("cuda:0")) == hash(runtime.device("cuda", 0))
    assert runtime.device("cpu") != "cpu"
    assert pickle.loads(pickle.dumps(runtime.device("cuda:3"))) == runtime.device("cuda:3")
    with pytest.raises(TypeError):
        sorted([runtime.device("cpu"), runtime.device("cuda")])


def test_sizes_stay_sizes_under_slicing_sums_and_products():
    size = runtime.Size([2, 3])
    for value in (size[:1], size + (4,), (1,) + size, size * 2, size + size, size[:], pickle.loads(pickle.dumps(size))):
        assert type(value) is runtime.Size
    assert repr((1,) + size * 2) == "torch.Size([1, 2, 3, 2, 3])"
    assert size == (2, 3) and hash(size) == hash((2, 3)) and size.numel() == 6 and runtime.Size().numel() == 1


@pytest.mark.parametrize("items, message", [([1, 2.5], "item 1 is 'float'"), (["a"], "item 0 is 'str'")])
def test_sizes_hold_only_ints(items, message):
    with pytest.raises(TypeError, match=message):
        runtime.Size(items)


def test_the_default_dtype_is_what_floats_become():
    assert runtime.get_default_dtype() is runtime.float32
    try:
        runtime.set_default_dtype(runtime.float64)
        assert runtime.tensor(1.5).dtype is runtime.float64
        assert runtime.tensor(1j).dtype is runtime.complex128
    finally:
        runtime.set_default_dtype(runtime.float32)
    with pytest.raises(TypeError, match="only floating-point types"):
        runtime.set_default_dtype(runtime.int32)


def test_a_seed_determines_the_state_of_a_generator():
    a, b = runtime.Generator().manual_seed(5), runtime.Generator().manual_seed(5)
    assert a.get_state().tolist() == b.get_state().tolist() != runtime.Generator().manual_seed(6).get_state().tolist()
    assert a.initial_seed() == 5
    assert runtime.Generator().manual_seed(-3).initial_seed() == 2**64 - 3
    assert a.seed() == a.initial_seed()


def test_a_generator_goes_on_from_a_saved_state():
    a = runtime.Generator().manual_seed(5)
    for b in (runtime.Generator().set_state(a.get_state()), a.clone_state(), pickle.loads(pickle.dumps(a))):
        assert b is not a and b.get_state().tolist() == a.get_state().tolist() and b.initial_seed() == 5


def test_states_of_the_wrong_kind_are_refused():
    g = runtime.Generator()
    with pytest.raises(TypeError, match="expected a torch.ByteTensor, but got int"):
        g.set_state(3)
    with pytest.raises(TypeError, match="RNG state must be a torch.ByteTensor"):
        g.set_state(runtime.tensor([1.0]))
    with pytest.raises(RuntimeError, match="size"):
        g.set_state(runtime.tensor([1], dtype=runtime.uint8))


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_seeds_have_64_bits(seed):
    with pytest.raises(ValueError, match="Overflow"):
        runtime.Generator().manual_seed(seed)


@given(st.text(max_size=12))
def test_any_device_string_is_a_device_or_an_error(text):
    try:
        device = runtime.device(text)
    except RuntimeError:
        return
    assert str(device) == text


@pytest.mark.oracle
@pytest.mark.parametrize("name", DTYPES)
def test_dtype_attributes_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    ours, theirs = _core.dtype_names[name], getattr(torch, name)
    assert repr(ours) == repr(theirs)
    assert (ours.itemsize, ours.is_floating_point, ours.is_complex) == (
        theirs.itemsize,
        theirs.is_floating_point,
        theirs.is_complex,
    )
    if not name.startswith(("q", "bits")):
        assert ours.is_signed == theirs.is_signed
    for method in ("to_real", "to_complex"):
        results = []
        for dtype in (ours, theirs):
            try:
                results.append(str(getattr(dtype, method)()))
            except RuntimeError as error:
                results.append(str(error))
        assert results[0] == results[1]


@pytest.mark.oracle
@pytest.mark.parametrize(
    "name",
    "float32 float64 float16 bfloat16 float8_e5m2 float8_e4m3fn float8_e4m3fnuz float8_e8m0fnu complex64".split(),
)
def test_float_limits_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    pytest.importorskip("ml_dtypes")
    assert repr(runtime.finfo(getattr(runtime, name))) == repr(torch.finfo(getattr(torch, name)))


@pytest.mark.oracle
@pytest.mark.parametrize("name", "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split())
def test_integer_limits_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    ours, theirs = runtime.iinfo(getattr(runtime, name)), torch.iinfo(getattr(torch, name))
    assert repr(ours) == repr(theirs) and (ours.min, ours.max, ours.bits) == (theirs.min, theirs.max, theirs.bits)


def test_limits_of_the_wrong_kind_are_refused():
    with pytest.raises(TypeError, match="requires a floating point input type"):
        runtime.finfo(runtime.int32)
    with pytest.raises(TypeError, match="requires an integer input type"):
        runtime.iinfo(runtime.float32)
    with pytest.raises(TypeError, match="torch.bool is not supported by torch.iinfo"):
        runtime.iinfo(runtime.bool)
