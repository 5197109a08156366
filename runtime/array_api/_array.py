"""`Array`: the tensor whose attributes and operators are the array API standard's.

A tensor's own operators follow PyTorch, which disagrees with the standard in a few places: tensors without dimensions do not take part in
type promotion, slices cannot run backwards, `size` is a method, `T` reverses any number of dimensions. `Array` is a subclass of
`runtime.Tensor` that differs in these places only, on the same memory. The functions of `runtime.array_api` take tensors of both classes
and return arrays; PyTorch's functions and methods take both and return plain tensors.

This file has the class and its attributes; `_operators` gives it the operators, `_subscripts` the subscripts, since both are made of the
namespace's functions.
"""

import math

from runtime import _core

Tensor = _core.Tensor

VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


class _Count(int):
    """The number of elements of an array. PyTorch's ``size()`` is a method, so it can be called as well."""

    def __call__(self, dim=None):
        if dim is None:
            return self._shape
        if not -len(self._shape) <= dim < len(self._shape):
            raise IndexError(f"size: dimension {dim} is out of range for an array with {len(self._shape)} dimensions")
        return self._shape[dim]


class Array(Tensor):
    """A tensor that follows the array API standard; `runtime.array_api.asarray` makes them.

    `Array(tensor)` shares the memory of the tensor, and `array.as_subclass(runtime.Tensor)` is the way back.
    """

    # PyTorch's functions see an array as the tensor that it is; asking a handler would cost more than most of them.
    __torch_function__ = _core._disabled_torch_function_impl

    def __array_namespace__(self, /, *, api_version=None):
        return namespace(api_version)

    @property
    def size(self):
        """Number of elements. ``size()`` is the shape, and ``size(dim)`` one length, as for every tensor."""
        shape = self.shape
        count = _Count(math.prod(shape))
        count._shape = shape
        return count

    @property
    def T(self):
        """The transposed matrix."""
        if self.ndim != 2:
            raise ValueError(f"T: the array has {self.ndim} dimensions, where the standard has a meaning for 2 only; use mT for stacks of "
                             "matrices and permute_dims for other orders")  # fmt: skip
        return Tensor.transpose(self, 0, 1).as_subclass(Array)

    @property
    def mT(self):
        """The transposed matrices of the last two dimensions."""
        if self.ndim < 2:
            raise ValueError(f"mT: the array has {self.ndim} dimensions, and a matrix has 2")
        return Tensor.transpose(self, -2, -1).as_subclass(Array)

    def to_device(self, device, /, *, stream=None):
        """The array on a device; itself where it is there already.

        Parameters
        ----------
        device : device or str
        stream : None
            No device here has streams.
        """
        moved = Tensor.to_device(self, device, stream=stream)
        return self if moved is self else moved.as_subclass(Array)

    def __dlpack__(self, /, *, stream=None, max_version=None, dl_device=None, copy=None):
        return Tensor.__dlpack__(self, stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self, /):
        return Tensor.__dlpack_device__(self)

    def __complex__(self, /):
        return Tensor.__complex__(self)

    def __float__(self, /):
        if self.dtype.is_complex:
            raise TypeError("float() of a complex array: take its real or imag first")
        return Tensor.__float__(self)

    def __int__(self, /):
        if self.dtype.is_complex:
            raise TypeError("int() of a complex array: take its real or imag first")
        return Tensor.__int__(self)

    def __index__(self, /):
        if self.dtype is _BOOL:
            raise TypeError("an array of bool cannot be an index; only arrays of integers without dimensions can")
        return Tensor.__index__(self)

    def __iter__(self, /):
        if not self.ndim:
            raise TypeError("an array without dimensions cannot be iterated over")
        return iter([part.as_subclass(Array) for part in Tensor.unbind(self)])

    def __format__(self, spec, /):
        return format(self.item() if spec and not self.ndim else str(self), spec)

    def new_empty(self, *args, **kwargs):
        # Copying asks for this method, to make a copy of the same class.
        return Tensor.new_empty(self, *args, **kwargs).as_subclass(Array)


_BOOL = _core.dtype_names["bool"]


def namespace(api_version=None):
    """What `__array_namespace__` returns."""
    if api_version is not None and api_version not in VERSIONS:
        raise ValueError(f"__array_namespace__: there is no version {api_version!r} of the standard here; known are {', '.join(VERSIONS)}")
    from runtime import array_api

    return array_api
