"""Tensors as NumPy arrays, for kernels of the CPU that compute with NumPy and SciPy.

NumPy computes in the dtypes that it has; float16 and bfloat16 are read as float32, as PyTorch's kernels accumulate them, and results are
rounded once, when they become tensors again.
"""

import numpy as np

from runtime._core import _adopt, _numpy_view, _offered, dtype_names, ops

aten = ops.aten

_WIDENED = {
    dtype_names["bfloat16"]: dtype_names["float32"],
    dtype_names["float16"]: dtype_names["float32"],
    dtype_names["complex32"]: dtype_names["complex64"],
}


def opmath(dtype):
    """The dtype in which values of a dtype are computed with."""
    return _WIDENED.get(dtype, dtype)


def read(tensor):
    """A tensor's elements as an array that may be its very memory: never written to."""
    wide = _WIDENED.get(tensor.dtype)
    return _numpy_view(tensor if wide is None else aten._to_copy.default(tensor, dtype=wide))


def read_contiguous(tensor):
    """A tensor's elements as `read` gives them, in the order that loops in C want."""
    return np.ascontiguousarray(read(tensor))


def memory(tensor):
    """A tensor's memory as an array to write into; bfloat16 and float8 in the dtypes of ml_dtypes.

    It must be gone before anything resizes the tensor.
    """
    return _numpy_view(tensor)


def place_of(op, sizes, dtype, device):
    """The contiguous tensor that a kernel of an operator returns: over the ``out=`` argument where that fits, else a new one.

    Parameters
    ----------
    op : OpOverload
        The operator whose kernel asks.
    sizes, dtype, device
        Of the result.
    """
    offered = _offered(op, sizes, dtype)
    return aten.empty.memory_format(sizes, dtype=dtype, device=device) if offered is None else offered


def adopted(array):
    """A new tensor on the memory of an array, in its order: nobody else may hold it, nor what it is a view of."""
    if not array.size:
        return aten.empty.memory_format(array.shape, dtype=_adopt(np.empty(1, array.dtype)).dtype)
    return _adopt(array)


def new(array, dtype=None):
    """A new tensor of an array's elements, contiguous, and rounded to `dtype`.

    Parameters
    ----------
    array : array_like
        Nobody else may hold it. What is not contiguous, or a part or view of another array, is copied.
    dtype : runtime.dtype, optional
    """
    array = np.asarray(array)
    if not array.size:
        # NumPy's strides of nothing are not PyTorch's.
        return aten.empty.memory_format(array.shape, dtype=dtype or _adopt(np.empty(1, array.dtype)).dtype)
    if not array.flags.c_contiguous or not array.flags.owndata or not array.flags.writeable:
        array = np.array(array, order="C", copy=True)
    tensor = _adopt(array)
    return tensor if dtype is None or tensor.dtype == dtype else aten._to_copy.default(tensor, dtype=dtype)
