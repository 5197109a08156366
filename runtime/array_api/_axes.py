"""Axes: one, several or all of them, as positions from the left."""

import operator


def all_axes(name, axis, ndim):
    """The axes that an argument names, sorted.

    Parameters
    ----------
    name : str
        Of the function, for errors.
    axis : int, tuple of int or None
        None stands for all of them.
    ndim : int
    """
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (tuple, list)):
        found = sorted(one_axis(name, a, ndim) for a in axis)
        if len(set(found)) != len(found):
            raise ValueError(f"{name}: axis {tuple(axis)} names a dimension twice")
        return tuple(found)
    return (one_axis(name, axis, ndim),)


def one_axis(name, axis, ndim):
    """An axis as a position from the left."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise IndexError(f"{name}: axis {axis} is out of range for an array with {ndim} dimensions")
    return axis % ndim
