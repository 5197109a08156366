"""Manipulation functions: arrays that are joined, split, repeated and reordered. What can be a view is one."""

import operator

from runtime import _core
from runtime.array_api._array import Array, Tensor
from runtime.array_api._axes import all_axes, one_axis
from runtime.array_api._dtypes import converted, int64, promote

_functions = _core.functions
_reshape = _functions["reshape"]


def broadcast_shapes(*shapes):
    """The shape that shapes broadcast to.

    Parameters
    ----------
    *shapes : tuple of int
    """
    lengths = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for place, length in enumerate(shape, len(lengths) - len(shape)):
            if length != 1 and lengths[place] not in (1, length):
                raise ValueError(f"broadcast_shapes: shapes {', '.join(str(tuple(s)) for s in shapes)} do not broadcast")
            lengths[place] = length if length != 1 else lengths[place]
    return tuple(lengths)


def broadcast_to(x, /, shape):
    """The array repeated to a shape, as a view.

    Parameters
    ----------
    x : Array
    shape : tuple of int
    """
    shape = tuple(shape)
    missing = len(shape) - x.ndim
    if missing < 0 or any(length not in (1, wanted) for length, wanted in zip(x.shape, shape[missing:], strict=True)):
        raise ValueError(f"broadcast_to: shape {tuple(x.shape)} does not broadcast to {shape}")
    return _functions["broadcast_to"](x, shape).as_subclass(Array)


def broadcast_arrays(*arrays):
    """The arrays repeated to their common shape, as views.

    Parameters
    ----------
    *arrays : Array

    Returns
    -------
    tuple of Array
    """
    shape = broadcast_shapes(*[tuple(x.shape) for x in arrays])
    return tuple(_functions["broadcast_to"](x, shape).as_subclass(Array) for x in arrays)


def _of_one_dtype(name, arrays):
    arrays = list(arrays)
    if not arrays:
        raise ValueError(f"{name}: there must be at least one array")
    dtype = arrays[0].dtype
    for x in arrays[1:]:
        dtype = promote(dtype, x.dtype)
    return [converted(x, dtype) for x in arrays]


def concat(arrays, /, *, axis=0):
    """Arrays joined along an axis.

    Parameters
    ----------
    arrays : tuple or list of Array
        Of the same shape but for the axis.
    axis : int or None
        None joins the elements of all in a row.
    """
    arrays = _of_one_dtype("concat", arrays)
    if axis is None:
        arrays, axis = [_reshape(x, (-1,)) for x in arrays], 0
    axis = one_axis("concat", axis, arrays[0].ndim)
    if any(x.ndim != arrays[0].ndim for x in arrays):
        # PyTorch lets empty arrays of one dimension pass.
        raise ValueError(f"concat: the arrays have {', '.join(str(x.ndim) for x in arrays)} dimensions; they must have as many")
    return _functions["cat"](arrays, axis).as_subclass(Array)


def stack(arrays, /, *, axis=0):
    """Arrays of one shape joined along a new axis.

    Parameters
    ----------
    arrays : tuple or list of Array
    axis : int
        Where the new axis is in the result.
    """
    return _functions["stack"](_of_one_dtype("stack", arrays), axis).as_subclass(Array)


def unstack(x, /, *, axis=0):
    """The parts of an array along an axis, without it.

    Parameters
    ----------
    x : Array
    axis : int

    Returns
    -------
    tuple of Array
    """
    return tuple(part.as_subclass(Array) for part in _functions["unbind"](x, one_axis("unstack", axis, x.ndim)))


def expand_dims(x, /, axis):
    """The array with new axes of length one.

    Parameters
    ----------
    x : Array
    axis : int or tuple of int
        Where the new axes are in the result.
    """
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    result = x
    for place in all_axes("expand_dims", axis, x.ndim + count):
        result = _functions["unsqueeze"](result, place)
    return result.as_subclass(Array)


def squeeze(x, /, axis):
    """The array without axes of length one.

    Parameters
    ----------
    x : Array
    axis : int or tuple of int
    """
    places = all_axes("squeeze", axis, x.ndim)
    for place in places:
        if x.shape[place] != 1:
            raise ValueError(f"squeeze: dimension {place} has length {x.shape[place]}, and only dimensions of length 1 can go")
    return (_functions["squeeze"](x, places) if places else x).as_subclass(Array)


def flip(x, /, *, axis=None):
    """The elements in reverse order along axes.

    Parameters
    ----------
    x : Array
    axis : int or tuple of int, optional
        By default all.
    """
    return _functions["flip"](x, all_axes("flip", axis, x.ndim)).as_subclass(Array)


def moveaxis(x, source, destination, /):
    """The array with axes at other places; the others stay in order.

    Parameters
    ----------
    x : Array
    source, destination : int or tuple of int
        Where the axes are and where they shall be.
    """
    source = source if isinstance(source, (tuple, list)) else (source,)
    destination = destination if isinstance(destination, (tuple, list)) else (destination,)
    if len(source) != len(destination):
        raise ValueError(f"moveaxis: {len(source)} axes cannot go to {len(destination)} places")
    all_axes("moveaxis", source, x.ndim)
    all_axes("moveaxis", destination, x.ndim)
    return _functions["movedim"](x, tuple(source), tuple(destination)).as_subclass(Array)


def permute_dims(x, /, axes):
    """The array with its axes in another order.

    Parameters
    ----------
    x : Array
    axes : tuple of int
        Every axis once.
    """
    if len(all_axes("permute_dims", tuple(axes), x.ndim)) != x.ndim:
        raise ValueError(f"permute_dims: {tuple(axes)} does not name the {x.ndim} dimensions of the array")
    return _functions["permute"](x, tuple(axes)).as_subclass(Array)


def repeat(x, repeats, /, *, axis=None):
    """Each element several times.

    Parameters
    ----------
    x : Array
    repeats : int or Array
        How many times; one number for all, or one for each position along the axis.
    axis : int, optional
        By default the elements are repeated in a row.
    """
    if axis is None:
        x, axis = _reshape(x, (-1,)), 0
    axis = one_axis("repeat", axis, x.ndim)
    if isinstance(repeats, Tensor):
        if repeats.ndim == 0 or repeats.ndim == 1 and repeats.shape[0] == 1:
            repeats = repeats.item()
        else:
            repeats = converted(repeats, int64)
    elif isinstance(repeats, (tuple, list)):
        repeats = _core.tensor(repeats, dtype=int64, device=x.device)
    return _functions["repeat_interleave"](x, repeats, axis).as_subclass(Array)


def reshape(x, /, shape, *, copy=None):
    """The elements in another shape.

    Parameters
    ----------
    x : Array
    shape : tuple of int
        One length may be -1: it follows from the number of elements.
    copy : bool, optional
        True copies always, False never (ValueError where a copy would be needed), None where it must.
    """
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (operator.index(shape),)
    if copy is False:
        try:
            return Tensor.view(x, shape).as_subclass(Array)
        except RuntimeError as error:
            raise ValueError(f"reshape: copy=False, but shape {shape} needs a copy of an array of shape {tuple(x.shape)}") from error
    result = _reshape(x, shape)
    if copy and result.untyped_storage().data_ptr() == x.untyped_storage().data_ptr():
        result = result.clone(memory_format=_core.format_names["contiguous_format"])
    return result.as_subclass(Array)


def roll(x, /, shift, *, axis=None):
    """The elements moved along axes; what leaves at the end comes in at the beginning.

    Parameters
    ----------
    x : Array
    shift : int or tuple of int
        By how many positions.
    axis : int or tuple of int, optional
        By default the elements move in a row, whatever the shape.
    """
    if axis is None:
        if isinstance(shift, (tuple, list)):
            raise TypeError("roll: several shifts need an axis each")
        if not x.ndim:
            return x.clone().as_subclass(Array)
        return _functions["roll"](x, (shift,)).as_subclass(Array)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = shift if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    if len(axes) == 1 and len(shifts) > 1:
        axes = tuple(axes) * len(shifts)
    if len(axes) != len(shifts):
        raise ValueError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    for a in axes:
        one_axis("roll", a, x.ndim)
    return _functions["roll"](x, tuple(shifts), tuple(axes)).as_subclass(Array)


def tile(x, repetitions, /):
    """The array several times beside itself.

    Parameters
    ----------
    x : Array
    repetitions : tuple of int
        How many times along each axis, from the right.
    """
    return _functions["tile"](x, tuple(repetitions)).as_subclass(Array)


__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims", "repeat",
    "reshape", "roll", "squeeze", "stack", "tile", "unstack",
]  # fmt: skip
