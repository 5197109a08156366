"""`runtime.array_api` as a namespace: names, signatures, dtypes, devices, attributes of arrays, and what is particular to tensors."""

import array as python_array
import copy
import inspect
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

import runtime as rt
import runtime.array_api as xp

KEYWORDS = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


def strict_namespaces():
    strict = pytest.importorskip("array_api_strict")
    return [(xp, strict), (xp.linalg, strict.linalg), (xp.fft, strict.fft)]


def shape_of_signature(function):
    """Kinds of the parameters, names of those that can be given by name, and defaults."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.kind, p.name if p.kind in KEYWORDS else None, p.default) for p in parameters]


def test_every_name_of_the_standard_is_there_with_its_signature():
    # array-api-strict tells "not given" from None by a default of its own.
    ours_is_none = {("astype", "device"), ("from_dlpack", "device"), ("from_dlpack", "copy")}
    for mine, strict in strict_namespaces():
        for name in strict.__all__:
            if "strict" in name or name in ("Device", "__version__", "ArrayAPIStrictFlags"):
                continue
            theirs, function = getattr(strict, name), getattr(mine, name)
            if not inspect.isfunction(theirs):
                continue
            for (kind, argument, default), (their_kind, their_argument, their_default) in zip(
                shape_of_signature(function), shape_of_signature(theirs), strict=True
            ):
                assert (kind, argument) == (their_kind, their_argument), name
                assert (name, argument) in ours_is_none or default == their_default, (name, argument)
    for name in ("isin", "broadcast_shapes", "__array_api_version__", "newaxis", "pi", "e", "inf", "nan"):
        assert name in xp.__all__ and hasattr(xp, name)
    assert {"eig", "eigvals"} <= set(xp.linalg.__all__)
    assert all(hasattr(xp, name) for name in xp.__all__)


def test_arrays_have_the_methods_of_the_standard_with_their_signatures():
    strict = pytest.importorskip("array_api_strict")
    theirs = type(strict.asarray(1))
    for name in ("__array_namespace__", "__dlpack__", "__dlpack_device__", "to_device", "__complex__", "__float__", "__index__", "__int__",
                 "__bool__", "__getitem__", "__setitem__"):  # fmt: skip
        mine = inspect.signature(getattr(xp.Array, name)).parameters
        for parameter in inspect.signature(getattr(theirs, name)).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                assert mine[parameter.name].kind is inspect.Parameter.KEYWORD_ONLY and mine[parameter.name].default is None
    for name in ("abs", "invert", "neg", "pos"):
        assert list(inspect.signature(getattr(xp.Array, f"__{name}__")).parameters) == ["self"]
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"):
        for prefix in ("", "r", "i"):
            assert list(inspect.signature(getattr(xp.Array, f"__{prefix}{name}__")).parameters) == ["self", "other"]


def test_every_tensor_knows_the_namespace():
    for x in (rt.ones(2), xp.ones(2)):
        assert x.__array_namespace__() is xp
        for version in ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12"):
            assert x.__array_namespace__(api_version=version) is xp
        with pytest.raises(ValueError, match="2019.12.*known are 2021.12"):
            x.__array_namespace__(api_version="2019.12")


def test_importing_the_package_does_not_import_the_namespace():
    code = "import sys, runtime; sys.exit('runtime.array_api' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_build_without_its_operators_says_so():
    code = "from runtime import _core; del _core.functions['acos']; import runtime.array_api"
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "ImportError: runtime.array_api needs the operator 'acos'" in result.stderr


def test_functions_take_tensors_and_return_arrays_on_the_same_memory():
    x = rt.tensor([[1.0, 2.0], [3.0, 4.0]])
    a = xp.asarray(x)
    assert type(a) is xp.Array and isinstance(a, rt.Tensor) and a.data_ptr() == x.data_ptr()
    assert xp.asarray(a) is a
    assert type(xp.sin(x)) is xp.Array and type(x + a) is xp.Array and type(a[0]) is xp.Array
    assert type(rt.sin(a)) is rt.Tensor and type(a.as_subclass(rt.Tensor)) is rt.Tensor


def test_attributes_are_those_of_the_standard():
    x = xp.asarray([[1, 2, 3], [4, 5, 6]])
    assert x.size == 6 and isinstance(x.size, int) and x.shape == (2, 3) and isinstance(x.shape, tuple) and x.ndim == 2
    assert x.dtype == xp.int64 and x.device == rt.device("cpu")
    assert x.T.tolist() == x.mT.tolist() == [[1, 4], [2, 5], [3, 6]] and type(x.T) is type(x.mT) is xp.Array
    assert xp.asarray(1).size == 1 and xp.empty((0, 3)).size == 0
    with pytest.raises(ValueError, match="T: the array has 1 dim"):
        _ = x[0].T
    with pytest.raises(ValueError, match="mT: the array has 1 dim"):
        _ = x[0].mT


def test_size_can_still_be_called_as_pytorch_code_does():
    x = xp.empty((2, 3))
    assert x.size() == (2, 3) and x.size(-1) == 3 and rt.ones(2, 3).size(0) == 2
    with pytest.raises(IndexError, match="dimension 2 is out of range"):
        x.size(2)


def test_arrays_without_dimensions_take_part_in_promotion():
    a, b = xp.asarray(1.0, dtype=xp.float64), xp.asarray([1.0], dtype=xp.float32)
    assert (a + b).dtype == (b * a).dtype == xp.maximum(a, b).dtype == xp.where(b > 0, a, b).dtype == xp.float64
    assert (rt.tensor(1.0, dtype=rt.float64) + rt.tensor([1.0])).dtype == rt.float32


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ("int8", "uint8", "int16"), ("int64", "uint32", "int64"), ("uint16", "int8", "int32"), ("uint8", "uint64", "uint64"),
        ("float32", "float64", "float64"), ("float64", "complex64", "complex128"), ("float32", "complex64", "complex64"),
        ("int64", "float32", "float32"), ("bool", "uint16", "uint16"),
    ],
)  # fmt: skip
def test_promotion_follows_the_table(a, b, expected):
    a, b, expected = (getattr(xp, name) for name in (a, b, expected))
    assert xp.result_type(a, b) is xp.result_type(b, a) is expected
    assert (xp.ones(2, dtype=a) * xp.ones(2, dtype=b)).dtype is expected
    assert xp.concat([xp.ones(2, dtype=a), xp.ones(2, dtype=b)]).dtype is expected


def test_what_has_no_common_dtype_says_so():
    with pytest.raises(TypeError, match="uint64.*astype"):
        xp.asarray([1], dtype=xp.uint64) + xp.asarray([1], dtype=xp.int8)


def test_scalars_take_the_dtype_of_arrays():
    for name in ("uint16", "int8", "float32", "complex128"):
        x = xp.ones(2, dtype=getattr(xp, name))
        assert (x + 1).dtype == (1 + x).dtype == xp.add(1, x).dtype == (np.int64(1) * x).dtype == x.dtype
    x = xp.ones(2, dtype=xp.float32)
    assert (x * 1j).dtype == xp.complex64 and (x * 0.5).dtype == (np.float64(0.5) * x).dtype == xp.float32
    assert xp.result_type(xp.float32, 1, 2.0) is xp.float32 and xp.result_type(1j, xp.float64) is xp.complex128
    with pytest.raises(TypeError, match="at least one argument must be an array"):
        xp.add(1, 2)
    with pytest.raises(ValueError, match="at least one argument"):
        xp.result_type(1, 2)


def test_integers_beyond_a_dtype_compare_by_value():
    x = xp.asarray([0, 255], dtype=xp.uint8)
    assert (x == -1).tolist() == (x < -1).tolist() == (256 <= x).tolist() == xp.greater(x, 1000).tolist() == [False, False]
    assert (x != -1).tolist() == (-1 < x).tolist() == xp.less_equal(x, 256).tolist() == [True, True]
    top = xp.asarray([2**64 - 1, 1], dtype=xp.uint64)
    assert (top == 2**64 - 1).tolist() == (top > 2**63).tolist() == [True, False] and (top < 2**64).tolist() == [True, True]


def test_arrays_without_dimensions_are_formatted_as_numbers():
    assert f"{xp.asarray(1.5):.2f}" == "1.50" and f"{xp.asarray(1.5)}" == str(xp.asarray(1.5))


def test_operators_leave_foreign_operands_to_themselves():
    class Other:
        def __radd__(self, left):
            return "theirs"

    assert xp.ones(2) + Other() == "theirs"
    assert type(np.ones(2) - xp.ones(2)) is type(xp.ones(2) @ np.ones((2, 2), np.float32)) is xp.Array
    assert (xp.ones(2) == "text") is False
    with pytest.raises(TypeError):
        xp.ones(2) + "text"
    with pytest.raises(TypeError, match="sin: x must be an array, got list"):
        xp.sin([1.0])


def test_functions_of_numpy_return_arrays():
    x = xp.asarray([1.0, 2.0])
    assert type(np.sin(x)) is type(np.add(x, 1)) is type(np.multiply(np.float64(2), x)) is xp.Array
    assert np.add(xp.asarray(1.0, dtype=xp.float64), x).dtype == xp.float64
    assert [type(part) for part in np.modf(x)] == [xp.Array, xp.Array]


def test_operators_in_place_keep_memory_dtype_and_shape():
    x = xp.asarray([1, 2, 3], dtype=xp.uint16)
    before = x.data_ptr()
    same = x
    x += xp.asarray([1, 1, 1], dtype=xp.uint8)
    x <<= 1
    assert x is same and x.data_ptr() == before and x.tolist() == [4, 6, 8]
    y = xp.ones(3, dtype=xp.float64)
    y += xp.ones(1, dtype=xp.float64)
    y *= xp.asarray(3.0, dtype=xp.float64)
    y -= np.float64(0.5)
    y /= 2
    assert y.tolist() == [2.75] * 3 and type(y) is xp.Array
    x += xp.asarray(1, dtype=xp.int32)
    x += np.asarray([1, 1, 1])
    assert x.tolist() == [6, 8, 10] and x.dtype == xp.uint16 and x.data_ptr() == before
    with pytest.raises(TypeError, match="__iadd__.*float32.*keeps torch.uint16"):
        x += xp.asarray([1.5])
    with pytest.raises(ValueError, match="shape"):
        x += xp.ones((2, 3), dtype=xp.uint16)
    with pytest.raises(TypeError, match="keeps"):
        x /= 2


def test_slices_run_backwards():
    x = xp.asarray(np.arange(24).reshape(2, 3, 4))
    n = np.arange(24).reshape(2, 3, 4)
    for key in [np.s_[::-1], np.s_[:, ::-2, None, ..., 1], np.s_[..., 3:0:-1], np.s_[0, ::-1, ::-1], np.s_[5:-9:-1, None, 1]]:
        assert x[key].tolist() == n[key].tolist()
        mine, theirs = xp.asarray(x, copy=True), n.copy()
        value = np.arange(100, 100 + n[key].size).reshape(n[key].shape)
        mine[key], theirs[key] = xp.asarray(value), value
        assert mine.tolist() == theirs.tolist()
    assert x[xp.asarray([1, 0]), ::-1].tolist() == n[[1, 0], ::-1].tolist()
    with pytest.raises(IndexError, match="too many indices"):
        x[0, 0, 0, ::-1]
    with pytest.raises(IndexError, match="two assignments"):
        x[xp.asarray([1, 0]), ::-1] = 0


def test_integer_arrays_of_any_dtype_are_indices():
    x = xp.asarray([10, 20, 30])
    for name in ("uint8", "int8", "uint16", "int32", "uint64"):
        assert x[xp.asarray([0, 2, 0], dtype=getattr(xp, name))].tolist() == [10, 30, 10]
    y = xp.asarray(np.arange(12).reshape(3, 4))
    assert y[xp.asarray([0, 2]), 1].tolist() == [1, 9] and y[1, xp.asarray([[0], [3]])].tolist() == [[4], [7]]


def test_masks_choose_and_assign():
    x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
    assert x[x > 1.5].tolist() == [2.0, 3.0, 4.0] and x[xp.asarray([True, False])].tolist() == [[1.0, 2.0]]
    x[x > 2.5] = 0.0
    assert x.tolist() == [[1.0, 2.0], [0.0, 0.0]]
    scalar = xp.asarray(5)
    assert scalar[xp.asarray(True)].tolist() == [5] and scalar[xp.asarray(False)].shape == (0,)


def test_arrays_are_converted_to_python_numbers():
    assert bool(xp.asarray(2)) is True and int(xp.asarray(2.5)) == 2 and float(xp.asarray(2)) == 2.0 and complex(xp.asarray(2.5)) == 2.5
    assert [10, 20][xp.asarray(1, dtype=xp.uint8)] == 20
    for convert, value in ((float, 1j), (int, 1j)):
        with pytest.raises(TypeError, match="complex array"):
            convert(xp.asarray(value))
    for value in (True, 1.0):
        with pytest.raises(TypeError):
            [10, 20][xp.asarray(value)]
    with pytest.raises(OverflowError):
        int(xp.asarray(math.inf))
    with pytest.raises(ValueError, match="NaN"):
        int(xp.asarray(math.nan))


def test_iteration_gives_arrays():
    assert [type(row) for row in xp.ones((2, 2))] == [xp.Array] * 2
    with pytest.raises(TypeError, match="without dimensions"):
        iter(xp.asarray(1))
    assert np.iterable(xp.asarray(1)) is False


def test_copies_are_arrays():
    x = xp.asarray([1.0, 2.0])
    for y in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert type(y) is xp.Array and y.tolist() == [1.0, 2.0]
    assert hash(x) == hash(x) and x in [x]


def test_gradients_flow_through_the_namespace():
    w = rt.tensor([1.0, 2.0], requires_grad=True)
    x = xp.asarray(w)
    xp.sum(xp.exp(x[::-1]) * x**2).backward()
    v = rt.tensor([1.0, 2.0], requires_grad=True)
    (v.flip(0).exp() * v**2).sum().backward()
    assert w.grad.tolist() == pytest.approx(v.grad.tolist())


def test_gradients_flow_through_promotion():
    x, y = rt.tensor(2.0, requires_grad=True), rt.ones(3, dtype=rt.float64)
    xp.sum(xp.multiply(x, y)).backward()
    assert x.grad.dtype == rt.float32 and x.grad.item() == 3.0


def test_asarray_takes_every_kind_of_object():
    assert xp.asarray(True).dtype == xp.bool and xp.asarray(3).dtype == xp.int64
    assert xp.asarray(2.5).dtype == xp.float32 and xp.asarray(1j).dtype == xp.complex64
    assert xp.asarray([[1, 2], (3, 4.5)]).tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert xp.asarray([]).shape == (0,) and xp.asarray([[], []]).shape == (2, 0)
    assert xp.asarray(2**64 - 1, dtype=xp.uint64).tolist() == 2**64 - 1
    assert xp.asarray(np.float64(1.5)).dtype == xp.float64 and xp.asarray(np.arange(3, dtype=np.uint16)).dtype == xp.uint16
    assert xp.asarray([xp.asarray(1), 2]).tolist() == [1, 2]
    assert xp.asarray(python_array.array("d", [1, 2])).dtype == xp.float64
    assert xp.asarray(bytearray(b"ab")).tolist() == [97, 98]

    class Exported:
        def __dlpack__(self, **kwargs):
            return np.arange(3.0).__dlpack__(**kwargs)

        def __dlpack_device__(self):
            return 1, 0

    class Converted:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3.0)

    assert xp.asarray(Exported()).tolist() == xp.asarray(Converted()).tolist() == [0.0, 1.0, 2.0]
    assert xp.from_dlpack(np.arange(3.0)).tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="expected sequence of length 2"):
        xp.asarray([[1, 2], [3]])


def test_asarray_copies_as_it_is_told():
    n = np.arange(4.0)
    shared, copied = xp.asarray(n), xp.asarray(n, copy=True)
    n[0] = 7
    assert shared[0] == 7 and copied[0] == 0 and xp.asarray(n, copy=False)[0] == 7
    backwards = n[::-1]
    assert xp.asarray(backwards).tolist() == backwards.tolist()
    for value, kwargs in ((n, {"dtype": xp.float32}), (backwards, {}), ([1, 2], {}), (xp.ones(2), {"dtype": xp.float64})):
        with pytest.raises(ValueError, match="copy=False"):
            xp.asarray(value, copy=False, **kwargs)
    x = xp.ones(3)
    assert xp.asarray(x, copy=True).data_ptr() != x.data_ptr()
    assert xp.astype(x, xp.float32, copy=False) is x and xp.astype(x, xp.float32).data_ptr() != x.data_ptr()
    assert xp.from_dlpack(x, copy=True).data_ptr() != x.data_ptr()
    with pytest.raises(TypeError, match="complex array has no conversion"):
        xp.astype(xp.ones(2, dtype=xp.complex64), xp.float32)


def test_reshape_copies_as_it_is_told():
    x = xp.ones((2, 3))
    assert xp.reshape(x, (6,)).data_ptr() == x.data_ptr() == xp.reshape(x, (-1, 2), copy=False).data_ptr()
    assert xp.reshape(x, (6,), copy=True).data_ptr() != x.data_ptr()
    with pytest.raises(ValueError, match="copy=False"):
        xp.reshape(x.T, (6,), copy=False)


def test_arange_counts_beyond_what_int64_holds():
    assert xp.arange(2**64 - 2, 2**64, dtype=xp.uint64).tolist() == [2**64 - 2, 2**64 - 1]
    assert xp.arange(2, dtype=xp.complex64).tolist() == [0j, 1 + 0j]
    assert xp.arange(3, 0).shape == (0,) and xp.arange(3, 0, -2).tolist() == [3, 1]
    assert xp.arange(3).dtype == xp.int64 and xp.arange(3.0).dtype == xp.float32 and xp.arange(0, 1, 0.25, dtype=xp.float64).shape == (4,)
    with pytest.raises(ValueError, match="step is 0"):
        xp.arange(0, 3, 0)


def test_info_describes_the_namespace():
    info = xp.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    assert info.default_device() == xp.ones(1).device and info.default_device() in info.devices()
    defaults = info.default_dtypes()
    assert defaults["real floating"] == xp.ones(1).dtype and defaults["complex floating"] == xp.asarray(1j).dtype
    assert defaults["integral"] == xp.asarray(1).dtype and defaults["indexing"] == xp.argmax(xp.ones(2)).dtype
    assert info.dtypes(kind="real floating") == {"float32": xp.float32, "float64": xp.float64}
    assert set(info.dtypes(device="cpu", kind=("bool", "unsigned integer"))) == {"bool", "uint8", "uint16", "uint32", "uint64"}
    assert len(info.dtypes()) == 13
    with pytest.raises(ValueError, match="no kind 'float'"):
        info.dtypes(kind="float")
    with pytest.raises(ValueError, match="nowhere"):
        info.dtypes(device="nowhere")


def test_nan_is_found_at_the_end_where_sorting_puts_it():
    x = xp.sort(xp.asarray([math.nan, 2.0, 1.0, math.nan]))
    assert xp.searchsorted(x, xp.asarray([math.inf, math.nan, 1.5])).tolist() == [2, 2, 1]
    assert xp.searchsorted(x, math.nan, side="right").tolist() == 4


def test_limits_of_dtypes():
    limits = xp.finfo(xp.complex64)
    assert limits.dtype == xp.float32 and limits.bits == 32 and limits.eps == 2**-23 and limits.smallest_normal == 2**-126
    assert all(isinstance(getattr(limits, name), float) for name in ("eps", "max", "min", "smallest_normal"))
    limits = xp.iinfo(xp.ones(1, dtype=xp.uint64))
    assert (limits.bits, limits.max, limits.min, limits.dtype) == (64, 2**64 - 1, 0, xp.uint64)
    with pytest.raises(TypeError, match="iinfo"):
        xp.finfo(xp.int8)
    with pytest.raises(TypeError, match="finfo"):
        xp.iinfo(xp.float32)


def test_kinds_and_casts_of_dtypes():
    assert xp.isdtype(xp.uint32, "unsigned integer") and xp.isdtype(xp.float32, ("bool", "numeric")) and xp.isdtype(xp.int8, xp.int8)
    assert not xp.isdtype(xp.bool, "numeric") and not xp.isdtype(xp.complex64, "real floating")
    with pytest.raises(ValueError, match="no kind 'float'"):
        xp.isdtype(xp.float32, "float")
    assert xp.can_cast(xp.int8, xp.int16) and xp.can_cast(xp.uint8, xp.int16) and xp.can_cast(xp.float32, xp.complex128)
    assert not xp.can_cast(xp.int8, xp.uint8) and not xp.can_cast(xp.float64, xp.float32) and not xp.can_cast(xp.int8, xp.float64)


def test_arrays_are_moved_to_devices():
    for x in (xp.ones(2), rt.ones(2)):
        assert x.to_device("cpu") is x and x.to_device(x.device) is x
        with pytest.raises(ValueError, match="stream"):
            x.to_device("cpu", stream=1)
    assert type(xp.ones(2).to_device("meta")) is xp.Array
    assert xp.zeros(2, device="cpu").device == rt.device("cpu")
    assert xp.ones(3).__dlpack_device__() == (1, 0) and np.from_dlpack(xp.ones(3)).tolist() == [1.0] * 3


def test_shapes_broadcast():
    assert xp.broadcast_shapes((2, 1), (3,), ()) == (2, 3) and xp.broadcast_shapes() == () and xp.broadcast_shapes((0, 1), (1, 4)) == (0, 4)
    with pytest.raises(ValueError, match="do not broadcast"):
        xp.broadcast_shapes((2,), (3,))
    with pytest.raises(ValueError, match="does not broadcast"):
        xp.broadcast_to(xp.ones(3), (2,))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: xp.sum(xp.ones(2), axis=1), IndexError, "sum: axis 1 is out of range for an array with 1 dim"),
        (lambda: xp.max(xp.ones((0, 2)), axis=0), ValueError, "max of no elements"),
        (lambda: xp.flip(xp.ones((2, 2)), axis=(0, -2)), ValueError, "twice"),
        (lambda: xp.squeeze(xp.ones((2, 1)), 0), ValueError, "dimension 0 has length 2"),
        (lambda: xp.expand_dims(xp.ones(2), 3), IndexError, "expand_dims: axis 3"),
        (lambda: xp.nonzero(xp.asarray(1)), ValueError, "at least one dimension"),
        (lambda: xp.cumulative_sum(xp.ones((2, 2))), ValueError, "axis must be given"),
        (lambda: xp.take(xp.ones((2, 2)), xp.asarray([0])), ValueError, "axis must be given"),
        (lambda: xp.take(xp.ones(2), xp.asarray([0.0])), TypeError, "indices must be integers"),
        (lambda: xp.take(xp.ones(2), xp.asarray([2])), IndexError, "out of bounds"),
        (lambda: xp.where(xp.ones(2), 1, 2), TypeError, "condition must be an array of bool"),
        (lambda: xp.concat([xp.ones((0,)), xp.ones((2, 2))]), ValueError, "as many"),
        (lambda: xp.meshgrid(xp.ones(2), indexing="ji"), ValueError, "'ji'"),
        (lambda: xp.matmul(xp.ones(2), xp.asarray(1.0)), ValueError, "multiply"),
        (lambda: xp.vecdot(xp.ones(2), xp.ones(3)), ValueError, "lengths 2 and 3"),
        (lambda: xp.tensordot(xp.ones((2, 3)), xp.ones((2, 3))[:, :2], axes=1), ValueError, "cannot be paired"),
        (lambda: xp.linalg.cross(xp.ones(2), xp.ones(2)), ValueError, "must have length 3"),
        (lambda: xp.linalg.qr(xp.ones((2, 2)), mode="r"), ValueError, "mode"),
        (lambda: xp.fft.fft(xp.ones(2), norm="none"), ValueError, "norm must be one of"),
        (lambda: xp.fft.fft(xp.ones(2), n=0), ValueError, "at least one element, and not 0"),
        (lambda: xp.fft.rfft(xp.ones(2, dtype=xp.complex64)), TypeError, "x must be real"),
        (lambda: xp.fft.fftfreq(4, dtype=xp.int64), ValueError, "real floating-point dtype"),
        (lambda: xp.searchsorted(xp.ones((2, 2)), 1.0), ValueError, "one dimension"),
        (lambda: xp.linspace(0, 1, -1), ValueError, "num must not be negative"),
        (lambda: xp.isdtype("float32", "bool"), TypeError, "dtype must be a dtype"),
        (lambda: xp.zeros("a"), TypeError, "shape must be an integer or a tuple"),
    ],
)
def test_errors_name_the_function_and_what_was_found(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_what_2025_12_adds():
    x = xp.asarray([[1, 2], [3, 4]])
    assert xp.isin(x, xp.asarray([2, 3])).tolist() == [[False, True], [True, False]]
    assert xp.isin(x, 4, invert=True).tolist() == [[True, True], [True, False]]
    assert xp.isin(xp.asarray([1j, 0]), xp.asarray([1j])).tolist() == [True, False]
    assert xp.expand_dims(x, (0, -1)).shape == (1, 2, 2, 1)
    assert xp.searchsorted(xp.asarray([1, 2, 4]), 3).tolist() == 2
    assert isinstance(xp.meshgrid(x[0], x[1]), tuple) and isinstance(xp.broadcast_arrays(x, x[0]), tuple)
    values, vectors = xp.linalg.eig(xp.asarray([[0.0, 1.0], [-1.0, 0.0]]))
    assert sorted(xp.imag(values).tolist()) == pytest.approx([-1, 1]) and vectors.shape == (2, 2)
    assert sorted(xp.imag(xp.linalg.eigvals(xp.asarray([[0.0, 1.0], [-1.0, 0.0]]))).tolist()) == pytest.approx([-1, 1])


def test_linear_algebra_of_stacks_without_matrices_and_of_matrices_without_elements():
    for shape in ((0, 2, 2), (2, 0, 0), (0, 0)):
        x = xp.zeros(shape, dtype=xp.float64)
        n = np.zeros(shape)
        for name in ("inv", "det", "eigvalsh", "svdvals", "cholesky", "matrix_transpose", "pinv", "trace", "diagonal"):
            theirs = {"svdvals": "svdvals"}.get(name, name)
            function = getattr(np.linalg, theirs)
            assert getattr(xp.linalg, name)(x).shape == function(n).shape, (name, shape)
        assert [part.shape for part in xp.linalg.qr(x)] == [part.shape for part in np.linalg.qr(n)]
        assert [part.shape for part in xp.linalg.svd(x)] == [part.shape for part in np.linalg.svd(n)]
        assert [part.shape for part in xp.linalg.eigh(x)] == [part.shape for part in np.linalg.eigh(n)]
        assert [part.shape for part in xp.linalg.slogdet(x)] == [part.shape for part in np.linalg.slogdet(n)]
        assert xp.linalg.solve(x, x).shape == shape and xp.linalg.matrix_power(x, 3).shape == shape
        assert xp.linalg.matrix_rank(x).shape == shape[:-2] and xp.linalg.matrix_norm(x).shape == shape[:-2]
    tall = xp.zeros((0, 3), dtype=xp.float64)
    assert (tall.mT @ tall).tolist() == [[0.0] * 3] * 3
    assert xp.linalg.vector_norm(tall, axis=0).tolist() == [0.0] * 3


def test_a_stack_of_right_sides_is_a_stack_of_matrices():
    a = np.random.default_rng(0).normal(size=(2, 2, 2))
    b = np.random.default_rng(1).normal(size=(2, 2))
    np.testing.assert_allclose(np.asarray(xp.linalg.solve(xp.asarray(a), xp.asarray(b))), np.linalg.solve(a, b[None]))


def test_hypothesis_makes_strategies_from_the_namespace():
    from hypothesis import HealthCheck, given, settings
    from hypothesis.extra.array_api import make_strategies_namespace

    strategies = make_strategies_namespace(xp, api_version="2024.12")
    assert strategies.api_version == "2024.12"

    @settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(strategies.arrays(strategies.scalar_dtypes(), strategies.array_shapes(min_dims=0)))
    def check(x):
        assert type(x) is xp.Array
        assert xp.reshape(x, (-1,)).size == x.size

    check()


def test_helpers_for_all_array_libraries_know_tensors():
    compat = pytest.importorskip("array_api_compat")
    x = rt.ones(2, 3)
    assert compat.is_array_api_obj(x) and not compat.is_torch_array(x) and not compat.is_numpy_array(x)
    assert compat.array_namespace(x, xp.ones(1), 1.0) is xp
    assert compat.device(x) == x.device and compat.size(x) == 6 and compat.to_device(x, "cpu") is x
    extra = pytest.importorskip("array_api_extra")
    assert extra.at(xp.asarray([1.0, 2.0]), 0).set(5.0).tolist() == [5.0, 2.0]
    assert extra.cov(xp.asarray([[1.0, 2.0], [3.0, 5.0]])).shape == (2, 2)
    assert extra.sinc(xp.asarray([0.0])).tolist() == [1.0]
    assert extra.kron(xp.asarray([1.0, 2.0]), xp.asarray([1.0, 1.0])).tolist() == [1.0, 1.0, 2.0, 2.0]


def test_norms_of_nothing_are_numpys():
    for order in (math.inf, -1, -2, 0, 1, 2, 0.5):
        for keepdims in (False, True):
            with np.errstate(divide="ignore"):
                want = np.linalg.vector_norm(np.zeros((2, 0)), axis=1, ord=order, keepdims=keepdims)
            assert xp.linalg.vector_norm(xp.zeros((2, 0)), axis=1, ord=order, keepdims=keepdims).tolist() == want.tolist()
    assert xp.linalg.vector_norm(xp.zeros(0, dtype=xp.complex64), ord=math.inf).dtype is xp.float32
    for shape, order in (((0, 3), -1), ((3, 0), -math.inf)):
        assert xp.linalg.matrix_norm(xp.zeros(shape), ord=order).item() == np.linalg.matrix_norm(np.zeros(shape), ord=order) == 0
    with pytest.raises(ValueError, match="vector_norm: there is no smallest"):
        xp.linalg.vector_norm(xp.zeros(0), ord=-math.inf)
    with pytest.raises(ValueError, match="matrix_norm: there is no smallest"):
        xp.linalg.matrix_norm(xp.zeros((3, 0)), ord=-1)


def test_functions_that_numpy_computes_know_shapes_and_dtypes_on_meta():
    x = xp.zeros((3, 1), dtype=xp.uint16, device="meta")
    for function, dtype in ((xp.add, xp.uint16), (xp.less, xp.bool), (xp.negative, xp.uint16)):
        result = function(x, xp.zeros(2, dtype=xp.uint16, device="meta")) if function is not xp.negative else function(x)
        assert result.is_meta and result.dtype is dtype and result.shape == ((3, 1) if function is xp.negative else (3, 2))
    found = xp.searchsorted(xp.zeros(4, device="meta"), xp.zeros((2, 3), device="meta"))
    assert type(found) is xp.Array and found.is_meta and found.shape == (2, 3) and found.dtype is xp.int64


def test_functions_of_two_operands_take_arrays_of_numpy():
    for result in (xp.add(xp.ones(2), np.ones(2)), xp.add(np.ones(2), xp.ones(2)), xp.where(xp.ones(2) > 0, np.full(2, 2.0), xp.ones(2))):
        assert type(result) is xp.Array and result.tolist() == [2.0, 2.0] and result.dtype is xp.float64
    with pytest.raises(TypeError, match="argument 1 must be an array"):
        xp.add(np.ones(2), np.ones(2))


def test_diag_is_a_diagonal_or_the_matrix_of_one():
    x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
    assert xp.diag(x).tolist() == [1, 4] and xp.diag(x, k=1).tolist() == [2] and xp.diag(xp.ones(1), k=-1).tolist() == [[0, 0], [1, 0]]
    xp.diag(x)[...] = 0
    assert x.tolist() == [[1, 2], [3, 4]]


def test_integers_beyond_a_dtype_overflow():
    for value, dtype in ((2**63, None), ([0, 2**63], None), ([[0], [-(2**63) - 1]], None), (300, xp.int8), ([1, 300], xp.uint8)):
        with pytest.raises(OverflowError, match="asarray: .* is beyond"):
            xp.asarray(value, dtype=dtype)
    assert xp.asarray(2**63, dtype=xp.uint64).item() == 2**63 and xp.asarray([2**63, 1.0]).dtype is xp.float32
    with pytest.raises(ValueError):
        xp.asarray([[1, 2], [3]])
