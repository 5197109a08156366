"""Subscripts of `Array`: what PyTorch's lack.

Slices that run backwards are taken forwards and turned round, which copies: tensors have no negative strides. Integer arrays of any dtype
are indices (PyTorch takes uint8 for masks). Everything else goes to the tensor's own subscripts.
"""

from runtime import _core
from runtime.array_api._array import Array, Tensor
from runtime.array_api._dtypes import bool as bool_
from runtime.array_api._dtypes import int64

_get = Tensor.__getitem__
_set = Tensor.__setitem__
_flip = _core.functions["flip"]


def _is_plain(part):
    """Whether PyTorch's subscripts do with one part of a key what the standard says."""
    if isinstance(part, slice):
        step = part.step
        return step is None or step.__class__ is int and step > 0
    if isinstance(part, Tensor):
        return part.dtype is int64 or part.dtype is bool_
    return True


def _getitem(self, key, /):
    if key.__class__ is not int:
        parts = key if key.__class__ is tuple else (key,)
        if not all(map(_is_plain, parts)):
            parts = _as_indices(parts)
            backwards = _backwards(self, parts)
            if backwards:
                selection, axes, parts = backwards
                self = _flip(_get(self, selection), axes)
            key = tuple(parts)
    return _get(self, key).as_subclass(Array)


def _setitem(self, key, value, /):
    if key.__class__ is not int:
        parts = key if key.__class__ is tuple else (key,)
        if not all(map(_is_plain, parts)):
            parts = _as_indices(parts)
            backwards = _backwards(self, parts)
            if backwards:
                _set_backwards(self, *backwards, value)
                return
            key = tuple(parts)
    _set(self, key, value)


def _as_indices(parts):
    """The parts of a key with integer arrays as int64, and steps as integers."""
    return [
        Tensor.to(part, dtype=int64) if isinstance(part, Tensor) and not _is_plain(part) and not part.dtype.is_floating_point else part
        for part in parts
    ]


def _consumed(part):
    """How many dimensions of the array a part of a key stands for."""
    if part is None or part is True or part is False:
        return 0
    return part.ndim if isinstance(part, Tensor) and part.dtype is bool_ else 1


def _backwards(x, parts):
    """A key with slices that run backwards in two steps.

    Returns
    -------
    selection : tuple of slice
        What the backward slices choose, forwards, and all of the other dimensions.
    axes : list of int
        The dimensions that are to be turned round then.
    rest : list
        The key for what comes out of this; every backward slice stands there as a whole one.

    Notes
    -----
    None where there is no such slice.
    """
    if not any(isinstance(part, slice) and not _is_plain(part) for part in parts):
        return None
    missing = x.ndim - sum(_consumed(part) for part in parts if part is not ...)
    if missing < 0:
        raise IndexError(f"too many indices: the array has {x.ndim} dimensions, and the key stands for {x.ndim - missing}")
    selection, axes, rest = [], [], []
    for part in parts:
        if part is ...:
            selection += [slice(None)] * missing
        elif isinstance(part, slice) and not _is_plain(part):
            steps = range(*part.indices(x.shape[len(selection)]))
            if steps.step < 0:
                axes.append(len(selection))
                steps = steps[::-1]
            selection.append(slice(steps.start, steps.stop, steps.step) if steps else slice(0, 0))
            part = slice(None)
        else:
            selection += [slice(None)] * _consumed(part)
        rest.append(part)
    return tuple(selection), axes, rest


def _set_backwards(x, selection, axes, rest, value):
    """Assign to what a key with backward slices chooses: forwards, with the value turned round."""
    if any(isinstance(part, Tensor) and part.ndim for part in rest):
        raise IndexError("assignment to a key that mixes arrays with slices that run backwards: use two assignments, or slices that run "
                         "forwards")  # fmt: skip
    target = _get(x, selection)
    if isinstance(value, Tensor) and value.ndim:
        # Where the turned dimensions are in the result: a turned dimension of length one finds itself by its stride's place in the key.
        shape = _get(target, tuple(rest)).shape
        value = _flip(value.broadcast_to(shape), _places(x.ndim, axes, rest))
    _set(target, tuple(rest), value)


def _places(ndim, axes, rest):
    """Where dimensions of an array are in the result of a key of integers, slices, None and an ellipsis."""
    missing = ndim - sum(_consumed(part) for part in rest if part is not ...)
    places, source, result = [], 0, 0
    for part in rest:
        if part is None:
            result += 1
        elif part is ...:
            source, result = source + missing, result + missing
        else:
            if isinstance(part, slice):
                if source in axes:
                    places.append(result)
                result += 1
            source += 1
    return places


Array.__getitem__ = _getitem
Array.__setitem__ = _setitem
_getitem.__name__, _setitem.__name__ = "__getitem__", "__setitem__"
_getitem.__qualname__, _setitem.__qualname__ = "Array.__getitem__", "Array.__setitem__"
