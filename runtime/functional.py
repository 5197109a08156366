"""Functions of the package's namespace that are no operators: they prepare arguments for operators."""

import itertools
import math

from runtime._core import functions, ops

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors", "cartesian_prod", "meshgrid",
    "nonzero", "unravel_index",
]  # fmt: skip

aten = ops.aten


def _given(tensors):
    """Tensors that were given one by one, or as one list."""
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors


def _atleast(function, tensors):
    if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
        return function(tensors[0])
    return tuple(function(_given(tensors)))


def atleast_1d(*tensors):
    """Views of tensors with one dimension at least; a tuple of several."""
    return _atleast(functions["atleast_1d"], tensors)


def atleast_2d(*tensors):
    """Views of tensors with two dimensions at least; a tuple of several."""
    return _atleast(functions["atleast_2d"], tensors)


def atleast_3d(*tensors):
    """Views of tensors with three dimensions at least; a tuple of several."""
    return _atleast(functions["atleast_3d"], tensors)


def block_diag(*tensors):
    """A matrix with the given matrices on its diagonal and zeros elsewhere."""
    return functions["block_diag"](tensors)


def broadcast_tensors(*tensors):
    """Views of tensors in the shape that all of them broadcast to."""
    return tuple(functions["broadcast_tensors"](_given(tensors)))


def cartesian_prod(*tensors):
    """All tuples of elements of the given vectors, as rows."""
    return functions["cartesian_prod"](_given(tensors))


def broadcast_shapes(*shapes):
    """The shape that the given shapes broadcast to.

    Parameters
    ----------
    *shapes : int or sequence of int

    Returns
    -------
    Size
    """
    from runtime import Size

    rows = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    result = []
    for sizes in itertools.zip_longest(*(reversed(row) for row in rows), fillvalue=1):
        for size in sizes:
            if size < 0:
                raise RuntimeError(f"Trying to create tensor with negative dimension ({size}): ({size})")
        different = {size for size in sizes if size != 1}
        if len(different) > 1:
            raise RuntimeError(
                "Shape mismatch: objects cannot be broadcast to a single shape: " + ", ".join(str(list(row)) for row in rows)
            )
        result.append(different.pop() if different else 1)
    return Size(reversed(result))


def meshgrid(*tensors, indexing=None):
    """Grids of coordinates, one for each of the given vectors; all are views.

    Parameters
    ----------
    *tensors : Tensor
        Vectors or 0-d tensors, or one list of them.
    indexing : {"ij", "xy"}, optional
        "xy" lets the first two dimensions change places.

    Returns
    -------
    tuple of Tensor
    """
    tensors = list(_given(tensors))
    if indexing is None:
        import warnings

        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.", stacklevel=2
        )
        return tuple(functions["meshgrid"](tensors))
    return tuple(functions["meshgrid"](tensors, indexing=indexing))


def nonzero(input, *, out=None, as_tuple=False):
    """Coordinates of the elements that are not zero.

    Parameters
    ----------
    input : Tensor
    out : Tensor, optional
    as_tuple : bool
        Whether to give a tensor for each dimension, with which `input` can be indexed.

    Returns
    -------
    Tensor or tuple of Tensor
        A row for each element, or as_tuple.
    """
    if not as_tuple:
        return functions["nonzero"](input) if out is None else functions["nonzero"](input, out=out)
    if out is not None:
        raise TypeError("nonzero does not support the out kwarg when as_tuple is True")
    return tuple(aten.nonzero_numpy.default(input))


def unravel_index(indices, shape):
    """Coordinates of elements that are given by their numbers in row-major order.

    Parameters
    ----------
    indices : Tensor
        Of an integer dtype.
    shape : int, Size or sequence of int

    Returns
    -------
    tuple of Tensor
        One for each dimension of `shape`, each of the shape of `indices`.
    """
    from runtime import Size, Tensor

    if not isinstance(indices, Tensor):
        raise TypeError(f"expected 'indices' to be a tensor, but got {type(indices)}")
    if indices.dtype.is_floating_point or indices.dtype.is_complex or str(indices.dtype) == "torch.bool":
        raise ValueError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    if not isinstance(shape, (int, Size)) and not (isinstance(shape, (list, tuple)) and all(isinstance(n, int) for n in shape)):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    steps = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
    return tuple(
        aten.remainder.Scalar(aten.floor_divide.Scalar(indices, step), size) if step and size else indices for step, size in zip(steps, shape)
    )
