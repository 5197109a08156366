"""Creation functions: arrays from Python objects, from other libraries' arrays, and from numbers."""

import operator

import numpy as np

from runtime import _core
from runtime.array_api import _dtypes
from runtime.array_api._array import Array, Tensor
from runtime.array_api._dtypes import INTEGERS, int64, uint64

_functions = _core.functions
_arange = _functions["arange"]
_linspace = _functions["linspace"]


def asarray(obj, /, *, dtype=None, device=None, copy=None):
    """An array of an object's elements.

    Parameters
    ----------
    obj : Array, Tensor, scalar, nested sequence, or object with ``__dlpack__``, ``__array__`` or the buffer protocol
    dtype : dtype, optional
        By default the object's; of Python numbers bool, int64 and the default floating-point and complex dtypes.
    device : device or str, optional
    copy : bool, optional
        True copies always, False never (what cannot be shared raises ValueError), None where it must.
    """
    if isinstance(obj, np.generic):
        obj = np.asarray(obj)
    if isinstance(obj, Tensor):
        tensor = obj
    elif isinstance(obj, np.ndarray):
        tensor = _of_numpy(obj, copy)
    elif hasattr(obj, "__dlpack__"):
        tensor = _core.from_dlpack(obj)
    elif isinstance(obj, (bytes, bytearray, memoryview)) or _is_buffer(obj):
        tensor = _of_numpy(np.asarray(memoryview(obj)), copy)
    elif hasattr(obj, "__array__"):
        tensor = _of_numpy(np.asarray(obj), copy)
    else:
        return _of_elements(obj, dtype, device, copy)
    where = tensor.device if device is None else _core.device(device)
    if copy is False and (dtype not in (None, tensor.dtype) or where != tensor.device):
        raise ValueError(f"asarray: copy=False, but {tensor.dtype} on {tensor.device} cannot be shared as {dtype or tensor.dtype} on {where}")
    if copy or dtype is not None or device is not None:
        tensor = Tensor.to(tensor, device=where, dtype=dtype or tensor.dtype, copy=bool(copy))
    return tensor if tensor is obj and isinstance(obj, Array) else tensor.as_subclass(Array)


def _is_buffer(obj):
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


def _of_numpy(array, copy):
    """A tensor on the memory of an array of NumPy, or on a copy where a tensor cannot have that memory."""
    flags, itemsize = array.flags, array.itemsize
    shareable = flags.aligned and flags.writeable and array.dtype.isnative and all(s >= 0 and s % itemsize == 0 for s in array.strides)
    if not shareable:
        if copy is False:
            raise ValueError("asarray: copy=False, but the array is read-only, or its strides, alignment or byte order are none of a tensor's")
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True)
    return _core.from_numpy(array)


def _of_elements(obj, dtype, device, copy):
    """A new array of Python numbers."""
    if copy is False:
        raise ValueError(f"asarray: copy=False, but {type(obj).__name__} has no memory of elements to share")
    try:
        return _core.tensor(obj, dtype=dtype, device=device).as_subclass(Array)
    except (ValueError, RuntimeError):
        kind = int64 if dtype is None else dtype
        if kind in INTEGERS:
            limits = _dtypes.iinfo(kind)
            for number in _integers(obj, 0):
                if not limits.min <= number <= limits.max:
                    raise OverflowError(f"asarray: {number} is beyond {kind}, which has {limits.min} to {limits.max}; give another dtype") from None
        raise


def _integers(obj, depth):
    """The integers of nested sequences; tensors have no more dimensions than it goes deep."""
    if isinstance(obj, int):
        yield obj
    elif isinstance(obj, (list, tuple)) and depth < 64:
        for item in obj:
            yield from _integers(item, depth + 1)


def from_dlpack(x, /, *, device=None, copy=None):
    """An array on the memory of another library's, through DLPack.

    Parameters
    ----------
    x : object with ``__dlpack__`` and ``__dlpack_device__``
    device : device or str, optional
        Where the array shall be; by default where `x` is.
    copy : bool, optional
        True copies always, False never, None where it must.
    """
    options = {name: value for name, value in (("device", device), ("copy", copy)) if value is not None}
    return _core.from_dlpack(x, **options).as_subclass(Array)


def _shape(name, shape):
    if isinstance(shape, (tuple, list)):
        return tuple(shape)
    try:
        return (operator.index(shape),)
    except TypeError:
        raise TypeError(f"{name}: shape must be an integer or a tuple of integers, got {shape!r}") from None


def empty(shape, *, dtype=None, device=None):
    """An array whose elements have no particular values.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype, optional
        By default the default floating-point dtype.
    device : device or str, optional
    """
    return _functions["empty"](_shape("empty", shape), dtype=dtype, device=device).as_subclass(Array)


def zeros(shape, *, dtype=None, device=None):
    """An array of zeros.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype, optional
        By default the default floating-point dtype.
    device : device or str, optional
    """
    return _functions["zeros"](_shape("zeros", shape), dtype=dtype, device=device).as_subclass(Array)


def ones(shape, *, dtype=None, device=None):
    """An array of ones.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype, optional
        By default the default floating-point dtype.
    device : device or str, optional
    """
    return _functions["ones"](_shape("ones", shape), dtype=dtype, device=device).as_subclass(Array)


def full(shape, fill_value, *, dtype=None, device=None):
    """An array of one number.

    Parameters
    ----------
    shape : int or tuple of int
    fill_value : scalar
    dtype : dtype, optional
        By default that of an array of `fill_value`.
    device : device or str, optional
    """
    value = _core.tensor(_number(fill_value), dtype=dtype, device=device)
    return Tensor.clone(value.broadcast_to(_shape("full", shape)), memory_format=_CONTIGUOUS).as_subclass(Array)


_CONTIGUOUS = _core.format_names["contiguous_format"]


def _number(value):
    """A Python number; scalars of NumPy and arrays without dimensions lose their dtype."""
    return value.item() if isinstance(value, (np.generic, Tensor)) else value


def empty_like(x, /, *, dtype=None, device=None):
    """An array of another's shape whose elements have no particular values.

    Parameters
    ----------
    x : Array
    dtype : dtype, optional
    device : device or str, optional
    """
    return _functions["empty_like"](x, dtype=dtype, device=device).as_subclass(Array)


def zeros_like(x, /, *, dtype=None, device=None):
    """An array of zeros of another's shape.

    Parameters
    ----------
    x : Array
    dtype : dtype, optional
    device : device or str, optional
    """
    return _functions["zeros_like"](x, dtype=dtype, device=device).as_subclass(Array)


def ones_like(x, /, *, dtype=None, device=None):
    """An array of ones of another's shape.

    Parameters
    ----------
    x : Array
    dtype : dtype, optional
    device : device or str, optional
    """
    return _functions["ones_like"](x, dtype=dtype, device=device).as_subclass(Array)


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """An array of one number, of another's shape.

    Parameters
    ----------
    x : Array
    fill_value : scalar
    dtype : dtype, optional
        By default that of `x`.
    device : device or str, optional
    """
    return full(tuple(x.shape), fill_value, dtype=dtype or x.dtype, device=x.device if device is None else device)


def arange(start, /, stop=None, step=1, *, dtype=None, device=None):
    """Numbers at equal distances in a half-open interval.

    Parameters
    ----------
    start : int or float
        The first number, or the end of an interval that begins at 0 if `stop` is not given.
    stop : int or float, optional
    step : int or float
        Not 0; an interval that it leads away from is empty.
    dtype : dtype, optional
        By default int64 of integers, else the default floating-point dtype.
    device : device or str, optional
    """
    start, stop, step = (_number(value) for value in ((0, start, step) if stop is None else (start, stop, step)))
    if step == 0:
        raise ValueError("arange: step is 0, and no interval has an end at such steps")
    integers = all(isinstance(value, int) for value in (start, stop, step))
    if dtype is None:
        dtype = int64 if integers else _core.get_default_dtype()
    elif not isinstance(dtype, _core.dtype):
        # Python's types stand for dtypes, as in PyTorch's functions.
        dtype = _functions["empty"](0, dtype=dtype).dtype
    if (stop - start) * (1 if step > 0 else -1) <= 0:
        return _functions["empty"](0, dtype=dtype, device=device).as_subclass(Array)
    if dtype is uint64 and integers:
        # PyTorch counts in int64, where the upper half of the numbers is not.
        count = len(range(start, stop, step))
        numbers = np.array(start & _ALL_BITS, np.uint64) + np.arange(count, dtype=np.uint64) * np.array(step & _ALL_BITS, np.uint64)
        return _core.from_numpy(numbers).to(device=device or "cpu").as_subclass(Array)
    if dtype.is_complex:
        return Tensor.to(_arange(start, stop, step, dtype=_dtypes.finfo(dtype).dtype, device=device), dtype=dtype).as_subclass(Array)
    if dtype in INTEGERS and not integers:
        start, stop, step = float(start), float(stop), float(step)
        return Tensor.to(_arange(start, stop, step, dtype=_dtypes.float64, device=device), dtype=dtype).as_subclass(Array)
    return _arange(start, stop, step, dtype=dtype, device=device).as_subclass(Array)


_ALL_BITS = 2**64 - 1


def linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True):
    """A number of numbers at equal distances in an interval.

    Parameters
    ----------
    start, stop : scalar
    num : int
        How many numbers, not negative.
    dtype : dtype, optional
        By default the default floating-point dtype, or the complex one where one of the ends is complex.
    device : device or str, optional
    endpoint : bool
        Whether `stop` is the last number.
    """
    start, stop, num = _number(start), _number(stop), operator.index(num)
    if num < 0:
        raise ValueError(f"linspace: num must not be negative, got {num}")
    if dtype is None:
        dtype = _dtypes.promote_scalar(_core.get_default_dtype(), start + stop)
    if dtype in INTEGERS:
        numbers = np.linspace(start, stop, num, endpoint=endpoint, dtype=str(dtype).rpartition(".")[2])
        return _core.from_numpy(numbers).to(device=device or "cpu").as_subclass(Array)
    if endpoint:
        return _linspace(start, stop, num, dtype=dtype, device=device).as_subclass(Array)
    return _linspace(start, stop, num + 1, dtype=dtype, device=device)[:-1].as_subclass(Array)


def eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None):
    """A matrix of zeros with ones on a diagonal.

    Parameters
    ----------
    n_rows : int
    n_cols : int, optional
        By default as many as rows.
    k : int
        Which diagonal: above the main one if positive.
    dtype : dtype, optional
        By default the default floating-point dtype.
    device : device or str, optional
    """
    n_cols = n_rows if n_cols is None else n_cols
    result = _functions["zeros"]((n_rows, n_cols), dtype=dtype, device=device)
    if -n_rows < k < n_cols:
        result.diagonal(k).fill_(1)
    return result.as_subclass(Array)


def tril(x, /, *, k=0):
    """Matrices with zeros above a diagonal.

    Parameters
    ----------
    x : Array
        Matrices of shape (..., m, n).
    k : int
        The diagonal: above the main one if positive.
    """
    return _functions["tril"](x, _within(k, x)).as_subclass(Array)


def triu(x, /, *, k=0):
    """Matrices with zeros below a diagonal.

    Parameters
    ----------
    x : Array
        Matrices of shape (..., m, n).
    k : int
        The diagonal: above the main one if positive.
    """
    return _functions["triu"](x, _within(k, x)).as_subclass(Array)


def diag(x, /, *, k=0):
    """The diagonal of a matrix, or the matrix with a diagonal. The standard has no such function, but SciPy asks its namespaces for one.

    Parameters
    ----------
    x : Array
        Of one or two dimensions.
    k : int
        The diagonal: above the main one if positive.
    """
    result = _functions["diag"](x, k)
    return (_functions["clone"](result) if x.ndim == 2 else result).as_subclass(Array)


def _within(k, x):
    """A diagonal near enough to the matrices for 64 bits to count to it."""
    limit = max(x.shape[-2:], default=0) + 1
    return max(-limit, min(k, limit))


def meshgrid(*arrays, indexing="xy"):
    """Coordinate arrays of a grid.

    Parameters
    ----------
    *arrays : Array
        The coordinates along each dimension, of one dtype.
    indexing : {"xy", "ij"}
        Whether the first two dimensions are swapped ("xy") as in plots, or stand as in matrices.

    Returns
    -------
    tuple of Array
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    if not arrays:
        return ()
    for position, x in enumerate(arrays, 1):
        if x.ndim > 1:
            raise ValueError(f"meshgrid: argument {position} has {x.ndim} dimensions; coordinates have one")
    grids = _functions["meshgrid"](list(arrays), indexing=indexing)
    # A view of a grid has one element in many places, so it is copied.
    return tuple(grid.clone(memory_format=_CONTIGUOUS).as_subclass(Array) for grid in grids)


__all__ = [
    "arange", "asarray", "diag", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid", "ones", "ones_like",
    "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip
