"""Norms of vectors and matrices."""

import math

from runtime._core import dtype_names, ops
from runtime.kernels._arrays import opmath
from runtime.kernels._common import real_dtype, refuse_repeated, scalar_name, wrap_dim
from runtime.kernels._lapack import check_floating
from runtime.kernels._pieces import large_shape, largest, summed

aten = ops.aten

_WIDTH = {
    dtype_names[name]: width
    for width, names in ((1, ("float16", "bfloat16", "complex32")), (2, ("float32", "complex64")), (3, ("float64", "complex128")))
    for name in names
}

#: Results in these are not rounded to a narrower dtype in the end.
_UNROUNDED = {dtype_names[name] for name in ("float32", "float64", "complex64", "complex128")}


def _check_dtype(t, dtype, name):
    if dtype is None:
        return
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"{name}: dtype should be floating point or complex, but got {scalar_name(dtype)}")
    if t.dtype.is_complex != dtype.is_complex:
        kind = "complex" if t.dtype.is_complex else "real"
        raise RuntimeError(f"{name}: dtype should be {kind} for {kind} inputs, but got {scalar_name(dtype)}")
    narrow = [x for x in (t.dtype, dtype) if x.itemsize == 1]
    if narrow and t.dtype != dtype:
        raise RuntimeError(
            f"Promotion for Float8 Types is not supported, attempted to promote {scalar_name(t.dtype)} and {scalar_name(dtype)}"
        )
    if narrow:
        raise NotImplementedError(f"\"norm_cpu\" not implemented for '{scalar_name(dtype)}'")
    if _WIDTH[t.dtype] > _WIDTH[dtype] or (_WIDTH[t.dtype] == 1 == _WIDTH[dtype] and t.dtype != dtype):
        raise RuntimeError(
            f"{name}: the dtype of the input ({scalar_name(t.dtype)}) should be convertible without narrowing to the specified dtype"
            f" ({scalar_name(dtype)})"
        )


def _is_single(x, dims):
    """Whether each norm is that of one element: its absolute value, whatever powers of it would overflow."""
    n = x.dim()
    return all(x.shape[d] == 1 for d in dims if -n <= d < n) if dims else all(size == 1 for size in x.shape)


def linalg_vector_norm(self, ord=2, dim=None, keepdim=False, *, dtype=None):
    name = "linalg.vector_norm"
    if dtype is None and (ord == 1 or (ord == 2 and not _is_single(self, dim))) and self.dtype in _UNROUNDED:
        total = aten.linalg__powsum.default(self, ord, dim, keepdim)
        return total if ord == 1 else aten.sqrt.default(total)
    check_floating(self, name)
    if isinstance(ord, complex):
        raise RuntimeError("linalg.vector_norm: Expected a non-complex scalar as the order of norm.")
    dims = list(range(self.dim())) if not dim else [wrap_dim(d, self.dim()) for d in dim]
    refuse_repeated(dims)
    if ord < 0 or ord == math.inf:
        for d in dims if self.dim() else ():
            if self.shape[d] == 0:
                if dim:
                    raise RuntimeError(
                        f"linalg.vector_norm cannot compute the {_number(ord)} norm on the dimension {d}because this dimension is empty and the"
                        " operation does not have an identity"
                    )
                raise RuntimeError(
                    f"linalg.vector_norm cannot compute the {_number(ord)} norm on an empty tensor because the operation does not have an identity"
                )
    _check_dtype(self, dtype, name)
    result_dtype = real_dtype(dtype or self.dtype)
    wide = opmath(dtype or self.dtype)
    result = _vector_norm(self, float(ord), dims, keepdim, None if self.dtype == wide else wide)
    return result if result.dtype == result_dtype else aten.to.dtype(result, result_dtype)


def linalg__powsum_slow(self, ord=2, dim=None, keepdim=False, *, dtype=None):
    x = self if dtype is None else aten.to.dtype(self, dtype)
    return aten.sum.dim_IntList(aten.pow.Tensor_Scalar(aten.abs.default(x), ord), dim, keepdim)


def _number(ord):
    return f"{ord:g}"


def _vector_norm(x, ord, dims, keepdim, dtype):
    """The norm over some dimensions of a tensor, computed in a dtype; None is its own."""
    single = ord != 0 and _is_single(x, dims)
    shape = None if single else large_shape(x)
    if shape is not None and (ord not in (1, 2) or dtype is not None):
        return _norm_in_pieces(x, shape, ord, dims, keepdim, dtype or x.dtype)
    if not math.isinf(ord) and ord != 0 and not single:
        total = aten.linalg__powsum.default(x, ord, dims, keepdim, dtype=dtype)
        return total if ord == 1 else aten.sqrt.default(total) if ord == 2 else aten.pow.Tensor_Scalar(total, 1.0 / ord)
    if dtype is not None:
        x = aten.to.dtype(x, dtype)
    size = aten.abs.default(x)
    if ord == 0:
        return aten.sum.dim_IntList(aten.ne.Scalar(x, 0), dims, keepdim, dtype=size.dtype)
    extreme = aten.amin.default if ord < 0 and not single else aten.amax.default
    return extreme(size, dims, keepdim) if x.dim() else size


def _norm_in_pieces(x, shape, ord, dims, keepdim, dtype):
    def size(part):
        return aten.abs.default(aten.to.dtype(part, dtype))

    if ord == 0:
        return aten.to.dtype(summed(lambda part: aten.ne.Scalar(part, 0), shape, (x,), dims, keepdim), real_dtype(dtype))
    if math.isinf(ord):
        return largest(aten.amax.default if ord > 0 else aten.amin.default, size, shape, (x,), dims, keepdim)
    total = summed(lambda part: aten.pow_.Scalar(size(part), ord), shape, (x,), dims, keepdim)
    return aten.pow.Tensor_Scalar(total, 1.0 / ord)


def _matrix_dims(self, dim):
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {', '.join(map(str, dim))}")
    if self.dim() < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    rows, columns = (wrap_dim(d, self.dim()) for d in dim)
    if rows == columns:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    return rows, columns


def _cast(self, dtype):
    _check_dtype(self, dtype, "linalg.matrix_norm")
    return self if dtype is None or dtype == self.dtype else aten.to.dtype(self, dtype)


def _by_singular_values(self, rows, columns, keepdim, reduce):
    kept = [d for d in range(self.dim()) if d not in (rows, columns)]
    result = reduce(aten.linalg_svdvals.default(aten.permute.default(self, [*kept, rows, columns])))
    if keepdim:
        for d in sorted((rows, columns)):
            result = aten.unsqueeze.default(result, d)
    return result


def linalg_matrix_norm(self, ord, dim=(-2, -1), keepdim=False, *, dtype=None):
    rows, columns = _matrix_dims(self, dim)
    check_floating(self, "linalg.matrix_norm")
    if isinstance(ord, complex) or abs(ord) not in (1, 2, math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {_number(ord) if not isinstance(ord, complex) else ord} not supported.")
    if abs(ord) == 2:
        check_floating(self, "linalg.matrix_norm", narrow=False)
    x = _cast(self, dtype)
    largest = ord > 0
    if abs(ord) == 2:
        if not largest or x.numel():
            extreme = aten.amax.default if largest else aten.amin.default
            return _by_singular_values(x, rows, columns, keepdim, lambda s: extreme(s, [-1]))
    # The largest (smallest) of the sums over rows for 1, over columns for infinity.
    summed, over = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = aten.linalg_vector_norm.default(x, 1, [summed], keepdim)
    if largest and not x.numel():
        # The norm of a matrix without elements is 0.
        return aten.linalg_vector_norm.default(x, 1, [rows, columns], keepdim)
    if not keepdim and over > summed:
        over -= 1
    return (aten.amax if largest else aten.amin).default(sums, [over], keepdim)


def linalg_matrix_norm_str_ord(self, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    rows, columns = _matrix_dims(self, dim)
    check_floating(self, "linalg.matrix_norm")
    if ord not in ("fro", "nuc"):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if ord == "fro":
        return aten.linalg_vector_norm.default(self, 2, [rows, columns], keepdim, dtype=dtype)
    check_floating(self, "linalg.matrix_norm", narrow=False)
    return _by_singular_values(_cast(self, dtype), rows, columns, keepdim, lambda s: aten.sum.dim_IntList(s, [-1]))


def _check_norm_dims(self, ord, dim):
    if dim is not None:
        if len(dim) not in (1, 2):
            raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got [{', '.join(map(str, dim))}]")
    elif ord is not None and self.dim() not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {self.dim()}D.")


def linalg_norm(self, ord=None, dim=None, keepdim=False, *, dtype=None):
    _check_norm_dims(self, ord, dim)
    if ord is not None and (len(dim) == 2 if dim is not None else self.dim() == 2):
        return aten.linalg_matrix_norm.default(self, ord, dim or [0, 1], keepdim, dtype=dtype)
    return aten.linalg_vector_norm.default(self, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def linalg_norm_ord_str(self, ord, dim=None, keepdim=False, *, dtype=None):
    _check_norm_dims(self, ord, dim)
    return aten.linalg_matrix_norm.str_ord(self, ord, [0, 1] if dim is None else dim, keepdim, dtype=dtype)
