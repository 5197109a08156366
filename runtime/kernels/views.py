"""Views made of other views."""

from runtime._core import ops
from runtime.kernels._common import into_each, wrap_dim

aten = ops.aten


def view_as(self, other):
    return aten.view.default(self, other.shape)


def type_as(self, other):
    return aten.to.dtype_layout(self, dtype=other.dtype, layout=other.layout, device=other.device)


def swapaxes(self, axis0, axis1):
    return aten.transpose.int(self, axis0, axis1)


def swapaxes_(self, axis0, axis1):
    return aten.transpose_.default(self, axis0, axis1)


def narrow_Tensor(self, dim, start, length):
    if start.dim() != 0 or start.dtype.is_floating_point or start.dtype.is_complex or str(start.dtype).endswith("bool"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    return aten.narrow.default(self, dim, start.item(), length)


def movedim_int(self, source, destination):
    return movedim_intlist(self, (source,), (destination,))


def movedim_intlist(self, source, destination):
    source, destination = tuple(source), tuple(destination)
    if len(source) != len(destination):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({list(source)} dims) should contain the same number of dims as destination ({list(destination)} dims)"
        )
    ndim = self.dim()
    src = [wrap_dim(d, ndim) for d in source]
    dst = [wrap_dim(d, ndim) for d in destination]
    for name, dims, given in (("source", src, source), ("destination", dst, destination)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    if ndim == 0:
        return aten.alias.default(self)
    order = [None] * ndim
    for s, d in zip(src, dst):
        order[d] = s
    rest = iter(d for d in range(ndim) if d not in src)
    return aten.permute.default(self, [next(rest) if d is None else d for d in order])


def set__source_Tensor_storage_offset(self, source, storage_offset, size, stride=()):
    return aten.set_.source_Storage_storage_offset(self, source.untyped_storage(), storage_offset, size, stride)


def split_copy_Tensor_out(self, split_size, dim=0, *, out):
    into_each("split_copy_Tensor_out()", out, aten.split.Tensor(self, split_size, dim), resize=False)


def unbind_copy_int_out(self, dim=0, *, out):
    into_each("unbind_copy_int_out", out, aten.unbind.int(self, dim), resize=True)


def split_with_sizes_copy_out(self, split_sizes, dim=0, *, out):
    into_each("split_with_sizes_copy_out", out, aten.split_with_sizes.default(self, split_sizes, dim), resize=True)
