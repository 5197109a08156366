"""Diagonals, windows into dimensions, and their writing counterparts: a copy of a tensor with a view of it overwritten."""

from runtime._core import _hand_on, ops
from runtime.kernels._common import wrap_dim

aten = ops.aten


def _shape(t):
    return list(t.shape)


def diag(self, diagonal=0):
    if self.dim() == 1:
        return aten.diag_embed.default(self, diagonal)
    if self.dim() != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {self.dim()}D")
    return aten.diagonal_copy.default(self, diagonal)


def diag_embed(self, offset=0, dim1=-2, dim2=-1):
    ndim = self.dim() + 1
    first, second = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    shape = list(self.shape[:-1])
    size = abs(offset) + self.size(-1)
    for dim in sorted((first, second)):
        shape.insert(dim, size)
    result = aten.new_zeros.default(self, shape)
    aten.copy_.default(aten.diagonal.default(result, offset, first, second), self)
    return result


def diagflat(self, offset=0):
    return aten.diag.default(aten.view.default(aten.contiguous.default(self), (-1,)), offset)


def linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    return aten.diagonal.default(A, offset, dim1, dim2)


def fill_diagonal_(self, fill_value, wrap=False):
    if self.dim() < 2:
        raise RuntimeError("dimensions must larger than 1")
    height, width = self.shape[:2]
    if self.dim() > 2 and len(set(self.shape)) != 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    size, step = min(height, width), sum(self.stride())
    aten.fill_.Scalar(aten.as_strided.default(self, (size,), (step,)), fill_value)
    if wrap and self.dim() == 2 and height > width + 1:
        rest = -(-self.numel() // (width + 1)) - size
        start = self.storage_offset() + self.stride(0) * (width + 1)
        aten.fill_.Scalar(aten.as_strided.default(self, (rest,), (step,), start), fill_value)
    return self


def _written(op, self, src, window):
    """A copy of self in which the window that a function makes is `src`: what an operator returns."""
    if self.dtype.is_complex != src.dtype.is_complex and src.dtype.is_complex:
        src = aten._to_copy.default(src, dtype=self.dtype)
    result = _hand_on(op, aten.clone.default, self)
    part = window(result)
    if tuple(part.shape) != tuple(src.shape):
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {_shape(src)}, slice size = {_shape(part)}"
        )
    aten.copy_.default(part, src)
    return result


def diagonal_scatter(self, src, offset=0, dim1=0, dim2=1):
    return _written(aten.diagonal_scatter.default, self, src, lambda t: aten.diagonal.default(t, offset, dim1, dim2))


def select_scatter(self, src, dim, index):
    return _written(aten.select_scatter.default, self, src, lambda t: aten.select.int(t, dim, index))


def slice_scatter(self, src, dim=0, start=None, end=None, step=1):
    return _written(aten.slice_scatter.default, self, src, lambda t: aten.slice.Tensor(t, dim, start, end, step))


def as_strided_scatter(self, src, size, stride, storage_offset=None):
    # Positions count in the storage, so that the copy has the layout of its source, gaps and all.
    whole = aten.new_empty_strided.default(self, self.shape, self.stride())
    aten.copy_.default(whole, self)
    offset = 0 if storage_offset is None else storage_offset - self.storage_offset()
    return _written(aten.as_strided_scatter.default, whole, src, lambda t: aten.as_strided.default(t, size, stride, offset))


def slice_inverse(self, src, dim=0, start=None, end=None, step=1):
    return aten.as_strided.default(self, src.shape, src.stride(), src.storage_offset())


def select_backward(grad_output, input_sizes, dim, index):
    result = aten.new_zeros.default(grad_output, input_sizes)
    aten.copy_.default(aten.select.int(result, dim, index), grad_output)
    return result


def slice_backward(grad_output, input_sizes, dim, start, end, step):
    result = aten.new_zeros.default(grad_output, input_sizes)
    aten.copy_.default(aten.slice.Tensor(result, dim, start, end, step), grad_output)
    return result


def diagonal_backward(grad_output, input_sizes, offset, dim1, dim2):
    result = aten.new_zeros.default(grad_output, input_sizes)
    aten.copy_.default(aten.diagonal.default(result, offset, dim1, dim2), grad_output)
    return result


def narrow_copy(self, dim, start, length):
    if dim >= self.dim() > 0:
        raise RuntimeError("Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.")
    return aten.clone.default(aten.narrow.default(self, dim, start, length), memory_format=_contiguous())


def _contiguous():
    import runtime

    return runtime.contiguous_format


def unflatten_int(self, dim, sizes):
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    dim = wrap_dim(dim, self.dim())
    if self.dim() == 0:
        raise RuntimeError("unflatten got an unexpected error:\nDimension specified as 0 but tensor has no dimensions")
    known = 1
    for size in sizes:
        known *= 1 if size == -1 else size
    length, free = self.shape[dim], list(sizes).count(-1)
    if free > 1 or any(s < -1 for s in sizes) or (length != known if not free else not known or length % known):
        text = "only one dimension can be inferred" if free > 1 else ""
        raise RuntimeError(
            f"unflatten: {text}" if text else
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({length}) in the input tensor"
        )  # fmt: skip
    sizes = [length // known if s == -1 else s for s in sizes]
    return aten.view.default(self, [*self.shape[:dim], *sizes, *self.shape[dim + 1 :]])


def ravel(self):
    return aten.view.default(aten.contiguous.default(self), (-1,))


def resize_as_(self, the_template, *, memory_format=None):
    return aten.resize_.default(self, the_template.shape, memory_format=memory_format)


def sum_to_size(self, size):
    size, shape = tuple(size), tuple(self.shape)
    leading = len(shape) - len(size)
    if leading < 0 or any(s not in (1, n) for s, n in zip(size, shape[leading:])):
        raise RuntimeError(f"size {{{list(size)}}} is not expandable to size {{{list(shape)}}}.")
    if not size:
        return aten.sum.default(self)
    dims = [*range(leading), *(d + leading for d, s in enumerate(size) if s == 1 and shape[d + leading] != 1)]
    if dims:
        self = aten.sum.dim_IntList(self, dims, True)
    return aten.view.default(self, size) if leading else self


def reshape_as(self, other):
    return aten.reshape.default(self, other.shape)
