"""NumPy's functions that make, join, split, arrange and pick elements, on tensors. Each has NumPy's name and arguments."""

import operator

import numpy as np

import runtime
from runtime._core import Tensor
from runtime.numpy_protocols.arrays import (
    NO_VALUE,
    axes_of,
    axis_of,
    cast,
    dtype_of,
    finish,
    operand_of,
    ours,
    out_tensor,
    promoted,
    require,
    shape_of,
    store,
    tensor_of,
)

# -------------------------------------------------------------------------------------------------------------------------- making


def _like(function):
    def made(a, *fill, dtype=None, order="K", subok=True, shape=None, device=None):
        options = {"dtype": a.dtype if dtype is None else dtype_of(dtype), "device": a.device if device is None else device}
        return function(a.shape if shape is None else shape_of(shape), *fill, **options)

    return made


def zeros_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return _like(runtime.zeros)(tensor_of(a), dtype=dtype, shape=shape, device=device)


def ones_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return _like(runtime.ones)(tensor_of(a), dtype=dtype, shape=shape, device=device)


def empty_like(prototype, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return _like(runtime.empty)(tensor_of(prototype), dtype=dtype, shape=shape, device=device)


def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    result = empty_like(a, dtype, order, subok, shape, device=device)
    result[...] = tensor_of(fill_value).to(result.dtype)
    return result


def _maker(function, default=None):
    """A function with like=, which NumPy has taken off: NumPy's dtype where none is given, since there is no tensor to look at."""

    def make(*args, dtype=default, order="C", device=None, **options):
        return function(*args, **options, dtype=None if dtype is None else dtype_of(dtype), device=device)

    return make


zeros_like_ = _maker(lambda shape, **options: runtime.zeros(shape_of(shape), **options))
ones_like_ = _maker(lambda shape, **options: runtime.ones(shape_of(shape), **options))
empty_like_ = _maker(lambda shape, **options: runtime.empty(shape_of(shape), **options))
full_like_ = _maker(lambda shape, fill_value, **options: runtime.full(shape_of(shape), fill_value, **options))
arange_like_ = _maker(ours("arange"))
identity_like_ = _maker(ours("eye"))


@_maker
def eye_like_(N, M=None, k=0, **options):
    require(k == 0)
    return runtime.eye(N, N if M is None else M, **options)


def array_like_(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0):
    result = runtime.tensor(object) if copy else runtime.as_tensor(object)
    result = cast(result, dtype)
    return result.reshape((*[1] * (ndmin - result.ndim), *result.shape))


def asarray_like_(a, dtype=None, order=None, *, device=None, copy=None):
    return runtime.asarray(a, dtype=None if dtype is None else dtype_of(dtype), device=device, copy=copy)


def copy(a, order="K", subok=False):
    return tensor_of(a).clone()


def astype(x, dtype, /, *, copy=True, device=None):
    return tensor_of(x).to(dtype=dtype_of(dtype), device=device, copy=copy)


def copyto(dst, src, casting="same_kind", where=True):
    store("numpy.copyto", tensor_of(src), dst, casting, where)


# ---------------------------------------------------------------------------------------------------------------- facts of a shape


def shape(a):
    return tuple(tensor_of(a).shape)


def ndim(a):
    return tensor_of(a).ndim


def size(a, axis=None):
    t = tensor_of(a)
    return t.numel() if axis is None else int(np.prod([t.shape[d] for d in axes_of(axis, t.ndim)]))


# ------------------------------------------------------------------------------------------------------------------ other shapes


def reshape(a, /, shape, order="C", *, copy=None):
    t = tensor_of(a)
    require(order in ("C", "F") or t.is_contiguous() and order in ("A", "K"))
    shape = shape_of(shape)
    if order == "F":
        result = _reversed(_reversed(t).reshape(shape[::-1]))
    else:
        result = t.view(shape) if copy is False else t.reshape(shape)
    require(order != "F" or copy is None or copy)
    return result.clone() if copy else result


def _reversed(t):
    return t.permute(tuple(range(t.ndim - 1, -1, -1)))


def ravel(a, order="C"):
    return reshape(a, (-1,), order)


def transpose(a, axes=None):
    t = tensor_of(a)
    return _reversed(t) if axes is None else t.permute(axes_of(axes, t.ndim))


def matrix_transpose(x, /):
    t = tensor_of(x)
    if t.ndim < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {t.ndim}")
    return t.mT


def moveaxis(a, source, destination):
    t = tensor_of(a)
    return runtime.movedim(t, axes_of(source, t.ndim), axes_of(destination, t.ndim))


def rollaxis(a, axis, start=0):
    t = tensor_of(a)
    axis, start = axis_of(axis, t.ndim), operator.index(start)
    start = axis_of(start, t.ndim) if start < 0 else axis_of(start, t.ndim + 1)
    return runtime.movedim(t, axis, start - (start > axis))


def swapaxes(a, axis1, axis2):
    t = tensor_of(a)
    return t.transpose(axis_of(axis1, t.ndim), axis_of(axis2, t.ndim))


def squeeze(a, axis=None):
    t = tensor_of(a)
    if axis is None:
        return t.squeeze()
    axes = axes_of(axis, t.ndim)
    if any(t.shape[d] != 1 for d in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return t.squeeze(axes)


def insert(arr, obj, values, axis=None):
    t = tensor_of(arr)
    t = t.reshape(-1) if axis is None else t
    require(type(obj) is int and t.ndim == 1 and -t.numel() <= obj <= t.numel())
    place = obj % t.numel() if obj < 0 else obj
    return runtime.cat([t[:place], tensor_of(values).to(t.dtype).reshape(-1), t[place:]])


def delete(arr, obj, axis=None):
    t = tensor_of(arr)
    t, axis = (t.reshape(-1), 0) if axis is None else (t, axis_of(axis, t.ndim))
    kept = np.ones(t.shape[axis], dtype=bool)
    if not isinstance(obj, slice):
        obj = np.asarray(obj)
        obj = obj if obj.size else obj.astype(np.intp)
    kept[obj] = False
    return t.index_select(axis, runtime.as_tensor(np.flatnonzero(kept), device=t.device))


def expand_dims(a, axis):
    t = tensor_of(a)
    added = len(axis) if isinstance(axis, (tuple, list)) else 1
    for d in sorted(axes_of(axis, t.ndim + added)):
        t = t.unsqueeze(d)
    return t


def broadcast_to(array, shape, subok=False):
    return tensor_of(array).broadcast_to(shape_of(shape))


def broadcast_arrays(*args, subok=False):
    return tuple(runtime.broadcast_tensors(*map(tensor_of, args)))


def _at_least(n, place):
    def function(*arys):
        results = tuple(place(tensor_of(a)) if tensor_of(a).ndim < n else tensor_of(a) for a in arys)
        return results[0] if len(results) == 1 else results

    return function


def _at_least_3(t):
    return t.reshape(1, 1, 1) if t.ndim == 0 else t.reshape(1, -1, 1) if t.ndim == 1 else t.unsqueeze(2)


atleast_1d = _at_least(1, lambda t: t.reshape(1))
atleast_2d = _at_least(2, lambda t: t.reshape(1, -1))
atleast_3d = _at_least(3, _at_least_3)


def flip(m, axis=None):
    t = tensor_of(m)
    return t.flip(axes_of(axis, t.ndim))


def fliplr(m):
    require(tensor_of(m).ndim >= 2)
    return flip(m, 1)


def flipud(m):
    require(tensor_of(m).ndim >= 1)
    return flip(m, 0)


def rot90(m, k=1, axes=(0, 1)):
    return runtime.rot90(tensor_of(m), operator.index(k), tuple(axes))


def roll(a, shift, axis=None):
    t = tensor_of(a)
    if axis is None:
        require(isinstance(shift, int))
        return runtime.roll(t, shift)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = shift if isinstance(shift, (tuple, list)) else (shift,)
    axes, shifts = zip(*np.broadcast(axes, shifts))
    return runtime.roll(t, tuple(map(int, shifts)), tuple(axis_of(int(d), t.ndim) for d in axes))


def tile(A, reps):
    return runtime.tile(tensor_of(A), shape_of(reps))


def repeat(a, repeats, axis=None):
    t = tensor_of(a)
    if axis is None:
        t, axis = t.reshape(-1), 0
    if not isinstance(repeats, int):
        repeats = runtime.as_tensor(repeats)
        require(not repeats.is_floating_point())
        repeats = repeats.expand(t.shape[axis_of(axis, t.ndim)]) if repeats.numel() == 1 else repeats
    return runtime.repeat_interleave(t, repeats, dim=axis_of(axis, t.ndim))


def pad(array, pad_width, mode="constant", **kwargs):
    t = tensor_of(array)
    value = kwargs.pop("constant_values", 0)
    require(mode == "constant" and not kwargs and isinstance(value, (bool, int, float)) and not isinstance(pad_width, dict))
    widths = np.broadcast_to(np.asarray(pad_width), (t.ndim, 2)).tolist()
    require(all(isinstance(n, int) for pair in widths for n in pair))
    if any(n < 0 for pair in widths for n in pair):
        raise ValueError("index can't contain negative values")
    return runtime.nn.functional.pad(t, [n for pair in reversed(widths) for n in pair], value=value)


def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    require(not sparse)
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    tensors = promoted(*[tensor_of(x).reshape(-1) for x in xi])
    grids = runtime.meshgrid(*tensors, indexing="ij" if len(xi) < 2 else indexing)
    return tuple(g.to(tensor_of(x).dtype).clone() if copy else g for g, x in zip(grids, xi))


# ------------------------------------------------------------------------------------------------------------- joins and splits


def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    tensors = [a if isinstance(a, Tensor) else tensor_of(a) for a in arrays]
    if dtype is not None:
        tensors = [cast(t, dtype) for t in tensors]
    if axis is None:
        tensors, axis = [t.reshape(-1) for t in tensors], 0
    dims = {t.ndim for t in tensors}
    if 0 in dims:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    if len(dims) > 1:
        raise ValueError("all the input array dimensions must match: the arrays have different numbers of dimensions")
    result = runtime.cat(tensors, axis)
    return result if out is None else finish("numpy.concatenate", result, out)


def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    tensors = [cast(a, dtype) for a in arrays]
    if len({t.shape for t in tensors}) > 1:
        raise ValueError("all input arrays must have the same shape")
    tensors = promoted(*tensors)
    return finish("numpy.stack", runtime.stack(tensors, axis_of(axis, tensors[0].ndim + 1)), out)


def _joined(prepare, axis):
    def function(tup, *, dtype=None, casting="same_kind"):
        tensors = [prepare(tensor_of(a)) for a in tup]
        return concatenate(tensors, axis(tensors) if callable(axis) else axis, dtype=dtype)

    return function


vstack = _joined(atleast_2d, 0)
hstack = _joined(atleast_1d, lambda tensors: 0 if tensors[0].ndim == 1 else 1)
dstack = _joined(atleast_3d, 2)


def column_stack(tup):
    return concatenate([t if t.ndim >= 2 else t.reshape(-1, 1) for t in map(tensor_of, tup)], 1)


def append(arr, values, axis=None):
    return concatenate([arr, values], axis)


def array_split(ary, indices_or_sections, axis=0):
    t = tensor_of(ary)
    parts = indices_or_sections
    parts = parts if isinstance(parts, int) else [int(n) for n in parts]
    return list(runtime.tensor_split(t, parts, dim=axis_of(axis, t.ndim)))


def split(ary, indices_or_sections, axis=0):
    t = tensor_of(ary)
    if isinstance(indices_or_sections, int) and t.shape[axis_of(axis, t.ndim)] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return array_split(t, indices_or_sections, axis)


def hsplit(ary, indices_or_sections):
    t = tensor_of(ary)
    require(t.ndim > 0)
    return split(t, indices_or_sections, 1 if t.ndim > 1 else 0)


def vsplit(ary, indices_or_sections):
    require(tensor_of(ary).ndim >= 2)
    return split(ary, indices_or_sections, 0)


def dsplit(ary, indices_or_sections):
    require(tensor_of(ary).ndim >= 3)
    return split(ary, indices_or_sections, 2)


def unstack(x, /, *, axis=0):
    t = tensor_of(x)
    return tuple(t.unbind(axis_of(axis, t.ndim)))


# ------------------------------------------------------------------------------------------------------------- picking elements


def where(condition, x=NO_VALUE, y=NO_VALUE, /):
    mask = tensor_of(condition)
    if x is NO_VALUE:
        return nonzero(mask)
    return runtime.where(mask.to(runtime.bool), operand_of(x), operand_of(y))


def select(condlist, choicelist, default=0):
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError("list of cases must be same length as list of conditions, and not empty")
    result = operand_of(default)
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        mask = tensor_of(condition)
        require(mask.dtype is runtime.bool)
        result = runtime.where(mask, operand_of(choice), result)
    return result


def nonzero(a):
    t = tensor_of(a)
    if t.ndim == 0:
        raise ValueError("Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() instead.")
    return tuple(runtime.nonzero(t, as_tuple=True))


def argwhere(a):
    return runtime.argwhere(tensor_of(a))


def flatnonzero(a):
    return nonzero(tensor_of(a).reshape(-1))[0]


def _index(indices, device):
    index = indices if isinstance(indices, Tensor) else runtime.as_tensor(np.asarray(indices), device=device)
    if index.numel() == 0 and not isinstance(indices, Tensor):
        index = index.to(runtime.int64)
    require(not index.is_floating_point() and not index.is_complex() and index.dtype is not runtime.bool)
    return index.to(runtime.int64)


def take(a, indices, axis=None, out=None, mode="raise"):
    t = tensor_of(a)
    if axis is None:
        t, axis = t.reshape(-1), 0
    axis = axis_of(axis, t.ndim)
    index, n = _index(indices, t.device), t.shape[axis]
    if mode == "wrap":
        index = index.remainder(n)
    elif mode == "clip":
        index = index.clamp(0, n - 1)
    result = t[(slice(None),) * axis + (index,)]
    return finish("numpy.take", result, out)


def take_along_axis(arr, indices, axis=-1):
    t = tensor_of(arr)
    index = _index(indices, t.device)
    if axis is None:
        require(index.ndim == 1)
        t, axis = t.reshape(-1), 0
    if t.ndim != index.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    axis = axis_of(axis, t.ndim)
    return runtime.take_along_dim(t, runtime.where(index < 0, index + t.shape[axis], index), axis)


def put_along_axis(arr, indices, values, axis):
    require(isinstance(arr, Tensor) and axis is not None)
    axis = axis_of(axis, arr.ndim)
    index = _index(indices, arr.device)
    require(index.ndim == arr.ndim)
    shape = runtime.broadcast_shapes(index.shape, tuple(1 if d == axis else n for d, n in enumerate(arr.shape)))
    index = runtime.where(index < 0, index + arr.shape[axis], index).expand(shape)
    out_tensor("numpy.put_along_axis", arr).scatter_(axis, index, tensor_of(values).to(arr.dtype).expand(shape))


def compress(condition, a, axis=None, out=None):
    t = tensor_of(a)
    if axis is None:
        t, axis = t.reshape(-1), 0
    mask = tensor_of(condition).to(runtime.bool)
    if mask.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    axis = axis_of(axis, t.ndim)
    require(mask.shape[0] <= t.shape[axis])
    result = runtime.index_select(t, axis, mask.nonzero().reshape(-1))
    return finish("numpy.compress", result, out)


def extract(condition, arr):
    mask, t = tensor_of(condition).reshape(-1), tensor_of(arr).reshape(-1)
    require(mask.shape == t.shape)
    return t[mask.to(runtime.bool)]


def diag(v, k=0):
    t = tensor_of(v)
    if t.ndim not in (1, 2):
        raise ValueError("Input must be 1- or 2-d.")
    return runtime.diag(t, k)


def diagflat(v, k=0):
    return runtime.diagflat(tensor_of(v), k)


def diagonal(a, offset=0, axis1=0, axis2=1):
    t = tensor_of(a)
    if t.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    return runtime.diagonal(t, offset, axis_of(axis1, t.ndim), axis_of(axis2, t.ndim))


def tril(m, k=0):
    require(tensor_of(m).ndim >= 2)
    return runtime.tril(tensor_of(m), k)


def triu(m, k=0):
    require(tensor_of(m).ndim >= 2)
    return runtime.triu(tensor_of(m), k)

