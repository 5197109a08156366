"""Statistics made of reductions: variances' overloads, sums over what is no NaN, extremes in pairs, covariances."""

import functools
import math

from runtime._core import dtype_names, ops
from runtime.kernels._common import into, real_dtype, refuse_repeated, scalar_name, wrap_dim
from runtime.kernels._pieces import BLOCK, large_shape, norm, summed, unwatched_large_shape

aten = ops.aten


# ---- var, std, var_mean, std_mean: everything is the overload with a correction.


def var(self, unbiased=True):
    return aten.var.correction(self, None, correction=int(unbiased))


def var_dim(self, dim, unbiased=True, keepdim=False):
    return aten.var.correction(self, dim, correction=int(unbiased), keepdim=keepdim)


def std(self, unbiased=True):
    return aten.std.correction(self, None, correction=int(unbiased))


def std_dim(self, dim, unbiased=True, keepdim=False):
    return aten.std.correction(self, dim, correction=int(unbiased), keepdim=keepdim)


def var_mean(self, unbiased=True):
    return aten.var_mean.correction(self, None, correction=int(unbiased))


def var_mean_dim(self, dim, unbiased=True, keepdim=False):
    return aten.var_mean.correction(self, dim, correction=int(unbiased), keepdim=keepdim)


def std_mean(self, unbiased=True):
    return aten.std_mean.correction(self, None, correction=int(unbiased))


def std_mean_dim(self, dim, unbiased=True, keepdim=False):
    return aten.std_mean.correction(self, dim, correction=int(unbiased), keepdim=keepdim)


# ---- softmax and logarithms of sums


def _safe_softmax(self, dim, dtype=None):
    result = aten.softmax.int(self, dim, dtype)
    if not self.numel():
        return result
    # Where the largest element is minus infinity all are, and softmax gave NaN.
    masked = aten.eq.Scalar(aten.amax.default(self, (dim,), True), -math.inf)
    return aten.masked_fill_.Scalar(result, masked, 0)


def logsumexp(self, dim, keepdim=False):
    import runtime

    shape = large_shape(self)
    if shape is not None:
        return _logsumexp_in_pieces(self, shape, dim, keepdim)
    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        self = aten.to.dtype(self, runtime.get_default_dtype())
    if self.numel() == 0:
        return aten.log.default(aten.sum.dim_IntList(aten.exp.default(self), dim, keepdim))
    half = self.dtype in (runtime.bfloat16, runtime.float16)
    wide = aten.to.dtype(self, runtime.float32) if half else self
    top = aten.amax.default(aten.real.default(wide) if wide.dtype.is_complex else wide, dim, True)
    top = aten.masked_fill.Scalar(top, aten.eq.Scalar(aten.abs.default(top), math.inf), 0)
    result = aten.log.default(aten.sum.dim_IntList(aten.exp_.default(aten.sub.Tensor(wide, top)), dim, keepdim))
    result = aten.add.Tensor(result, top if keepdim else aten.view.default(top, result.shape))
    return aten.to.dtype(result, self.dtype) if half else result


def _logsumexp_in_pieces(self, shape, dim, keepdim):
    import runtime

    dims = _dims(self, dim)
    half = self.dtype in (runtime.bfloat16, runtime.float16)
    dtype = runtime.float32 if half else self.dtype if _is_inexact(self.dtype) else runtime.get_default_dtype()
    top = aten.amax.default(aten.real.default(self) if dtype.is_complex else self, dims, True)
    top = aten.to.dtype(top, real_dtype(dtype))
    top = aten.masked_fill.Scalar(top, aten.eq.Scalar(aten.abs.default(top), math.inf), 0)
    powers = summed(lambda x, t: aten.exp_.default(aten.sub.Tensor(aten.to.dtype(x, dtype), t)), shape, (self, top), dims, keepdim)
    result = aten.log.default(powers)
    result = aten.add.Tensor(result, top if keepdim else aten.view.default(top, result.shape))
    return aten.to.dtype(result, self.dtype) if half else result


def _dims(self, dim):
    """The dimensions of a reduction, wrapped: all where none is named."""
    dims = tuple(range(self.dim())) if not dim else tuple(wrap_dim(d, self.dim()) for d in dim)
    refuse_repeated(dims)
    return dims


def special_logsumexp(self, dim, keepdim=False):
    return aten.logsumexp.default(self, dim, keepdim)


def logcumsumexp(self, dim):
    return aten._logcumsumexp.default(self, dim)


def logcumsumexp_out(self, dim, *, out):
    return aten._logcumsumexp.out(self, dim, out=out)


# ---- extremes and counts


def aminmax(self, *, dim=None, keepdim=False):
    if self.dtype.is_complex:
        raise NotImplementedError(f"\"aminmax{'_cpu' if dim is not None else '_kernel'}\" not implemented for '{scalar_name(self.dtype)}'")
    if dim is None:
        if not self.numel():
            raise RuntimeError("aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.")
        dims = ()
    else:
        dim = wrap_dim(dim, self.dim())
        if self.dim() and not self.shape[dim]:
            raise IndexError(f"aminmax(): Expected reduction dim {dim} to have non-zero size.")
        dims = (dim,)
    return aten.amin.default(self, dims, keepdim), aten.amax.default(self, dims, keepdim)


def aminmax_out(self, *, dim=None, keepdim=False, min, max):
    for out in (min, max):
        if out.dtype != self.dtype:
            raise RuntimeError(f"Expected out tensor to have dtype {scalar_name(self.dtype)}, but got {scalar_name(out.dtype)} instead")
    lowest, highest = aten.aminmax.default(self, dim=dim, keepdim=keepdim)
    return into(min, lowest), into(max, highest)


def _aminmax(self):
    return aten.aminmax.default(self)


def _aminmax_dim(self, dim, keepdim=False):
    return aten.aminmax.default(self, dim=dim, keepdim=keepdim)


def count_nonzero_dim_IntList(self, dim):
    repeated = [d for d in range(self.dim()) if self.stride(d) == 0 and self.shape[d] > 1]
    if repeated and not dim and self.device.type == "cpu":
        # One element of an expanded dimension stands for all, so that no memory of the broadcast size is needed.
        times = math.prod(self.shape[d] for d in repeated)
        for d in repeated:
            self = aten.slice.Tensor(self, d, 0, 1)
        return aten.mul.Scalar(aten.count_nonzero.dim_IntList(self, ()), times)
    shape = large_shape(self)
    if shape is not None:
        return summed(lambda x: aten.ne.Scalar(x, 0), shape, (self,), _dims(self, dim))
    return aten.sum.dim_IntList(aten.ne.Scalar(self, 0), dim)


def count_nonzero(self, dim=None):
    return aten.count_nonzero.dim_IntList(self, () if dim is None else (dim,))


def _check_bool(self):
    import runtime

    if self.dtype != runtime.bool:
        raise RuntimeError("self.scalar_type() == at::kBool INTERNAL ASSERT FAILED")


def _is_all_true(self):
    _check_bool(self)
    return aten.all.default(self)


def _is_any_true(self):
    _check_bool(self)
    return aten.any.default(self)


def hash_tensor(self, dim=(), *, keepdim=False, mode=0):
    import numpy as np

    from runtime.kernels._arrays import memory, new

    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    dims = tuple(wrap_dim(d, self.dim()) for d in dim)
    if not self.numel():
        if not dims:
            raise RuntimeError(
                "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument."
            )
        for d in dims:
            if self.shape[d] == 0:
                raise IndexError(f"hash_tensor: Expected reduction dim {d} to have non-zero size.")
    refuse_repeated(dims)
    dims = dims if dims and self.dim() else tuple(range(self.dim()))
    if self.is_meta:
        sizes = [1 if d in dims else n for d, n in enumerate(self.shape) if keepdim or d not in dims]
        return aten.new_empty.default(self, sizes, dtype=dtype_names["uint64"])
    array = memory(self)
    if array.dtype.kind in "biu" and array.dtype.name not in ("uint16", "uint32", "uint64"):
        wide = np.int64
    elif self.dtype.is_floating_point and array.dtype.itemsize > 1:
        wide = np.float64  # every float as the bits of a double
    else:
        raise NotImplementedError(f"\"xor_sum_cpu\" not implemented for '{scalar_name(self.dtype)}'")
    hashes = _exclusive_or(array, wide, dims)
    return new(hashes if keepdim else hashes.squeeze(dims))


def _exclusive_or(array, wide, dims):
    """The exclusive or of the bits of numbers in a wide dtype, over dimensions that are kept: large arrays block after block."""
    import numpy as np

    if array.size <= BLOCK:
        return np.bitwise_xor.reduce(array.astype(wide).view(np.uint64), axis=dims, keepdims=True)
    longest = int(np.argmax(array.shape))
    blocks = (_exclusive_or(block, wide, dims) for block in np.array_split(array, min(-(-array.size // BLOCK), array.shape[longest]), longest))
    return functools.reduce(np.bitwise_xor, blocks) if longest in dims else np.concatenate(list(blocks), longest)


# ---- NaNs left out


def _is_inexact(dtype):
    return dtype.is_floating_point or dtype.is_complex


def nanmean(self, dim=None, keepdim=False, *, dtype=None):
    if not _is_inexact(self.dtype):
        raise RuntimeError(f"nanmean(): expected input to have floating point or complex dtype but got {scalar_name(self.dtype)}")
    counted = aten.detach.default(self)
    shape = unwatched_large_shape(counted)
    if shape is not None:
        factor = summed(lambda x: aten.eq.Tensor(x, x), shape, (counted,), _dims(self, dim), keepdim)
    else:
        factor = aten.sum.dim_IntList(aten.logical_not.default(aten.detach.default(aten.isnan.default(self))), dim, keepdim)
    return aten.div.Tensor(aten.nansum.default(self, dim, keepdim, dtype=dtype), factor)


# ---- matrices


def trace(self):
    if self.dim() != 2:
        raise RuntimeError("trace: expected a matrix, but got tensor with dim " + str(self.dim()))
    return aten.sum.default(aten.diagonal.default(self))


def _positive(weights):
    return bool(aten.ge.Scalar(aten.min.default(weights), 0).item())


def cov(self, *, correction=1, fweights=None, aweights=None):
    import runtime

    if self.dim() > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got an input with {self.dim()} dimensions")
    if self.dtype == runtime.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    table = aten.view.default(self, (1, -1)) if self.dim() < 2 else self
    count = table.shape[1]
    weights = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        if given.dim() > 1:
            raise RuntimeError(f"cov(): expected {name} to have one or fewer dimensions but got {name} with {given.dim()} dimensions")
        if name == "fweights" and (_is_inexact(given.dtype) or given.dtype == runtime.bool):
            raise RuntimeError(f"cov(): expected fweights to have integral dtype but got fweights with {scalar_name(given.dtype)} dtype")
        if name == "aweights" and not given.dtype.is_floating_point:
            raise RuntimeError(f"cov(): expected aweights to have floating point dtype but got aweights with {scalar_name(given.dtype)} dtype")
        if given.numel() != count:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the input but got {given.numel()} != {count}"
            )
        if count and not _positive(given):
            raise RuntimeError(f"cov(): {name} cannot be negative")
        weights = given if weights is None else aten.mul.Tensor(weights, aten.to.dtype(aweights, given.dtype))
    total = aten.sum.default(weights) if weights is not None else aten.scalar_tensor.default(count, dtype=runtime.int64)
    if weights is not None and count and total.item() == 0:
        raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    if weights is None:
        mean = aten.div.Tensor(aten.sum.dim_IntList(table, (1,), True), total)
    else:
        mean = aten.div.Tensor(aten.sum.dim_IntList(aten.mul.Tensor(table, weights), (1,), True), total)
    if aweights is not None and correction != 0:
        products = aten.mul.Tensor(weights, aweights)
        norm = aten.sub.Tensor(total, aten.div.Tensor(aten.mul.Scalar(aten.sum.default(products), correction), total))
    else:
        norm = aten.sub.Scalar(total, correction)
    if norm.item() <= 0:
        import warnings

        warnings.warn("cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.", stacklevel=2)
        norm = aten.zeros_like.default(norm)
    table = aten.sub.Tensor(table, mean)
    other = aten.t.default(aten.conj.default(table) if table.dtype.is_complex else table)
    weighted = other if weights is None else aten.mul.Tensor(other, aten.unsqueeze.default(weights, 1))
    product = aten.mm.default(table, aten.to.dtype(weighted, table.dtype))
    return aten.squeeze.default(aten.true_divide.Tensor(product, norm))


def corrcoef(self):
    if self.dim() > 2:
        raise RuntimeError(f"corrcoef(): expected input to have two or fewer dimensions but got an input with {self.dim()} dimensions")
    c = aten.cov.default(self)
    if c.dim() == 0:
        return aten.div.Tensor(c, c)
    diagonal = aten.diagonal.default(c)
    deviations = aten.sqrt.default(aten.real.default(diagonal) if c.dtype.is_complex else diagonal)
    c = aten.div.Tensor(aten.div.Tensor(c, aten.unsqueeze.default(deviations, 1)), aten.unsqueeze.default(deviations, 0))
    if c.dtype.is_complex:
        return aten.complex.default(aten.clamp.default(aten.real.default(c), -1, 1), aten.clamp.default(aten.imag.default(c), -1, 1))
    return aten.clamp.default(c, -1, 1)


# ---- distances and renormalization


def dist(self, other, p=2):
    shape = large_shape(self, other)
    if shape is not None:
        return norm(aten.sub.Tensor, shape, (self, other), p)
    return aten.norm.Scalar(aten.sub.Tensor(self, other), p)


def renorm(self, p, dim, maxnorm):
    return aten.mul.Tensor(self, _renorm_factor(self, p, dim, maxnorm))


def renorm_(self, p, dim, maxnorm):
    return aten.mul_.Tensor(self, _renorm_factor(self, p, dim, maxnorm))


def renorm_out(self, p, dim, maxnorm, *, out):
    factor = _renorm_factor(self, p, dim, maxnorm)
    if out.dtype != self.dtype:
        raise RuntimeError(f"Expected out tensor to have dtype {scalar_name(self.dtype)}, but got {scalar_name(out.dtype)} instead")
    return aten.mul.out(self, factor, out=out)


def _renorm_factor(self, p, dim, maxnorm):
    if isinstance(p, complex):
        raise RuntimeError("renorm: p must be real-valued")
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if isinstance(maxnorm, complex):
        raise RuntimeError("renorm: maxnorm must be real-valued")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if self.dim() <= 1:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {self.dim()} dimensions")
    import runtime

    dim = wrap_dim(dim, self.dim())
    dims = [d for d in range(self.dim()) if d != dim]
    wide = runtime.float32 if real_dtype(self.dtype) in (runtime.bfloat16, runtime.float16) else None
    norm = aten.linalg_vector_norm.default(self, p, dims, True, dtype=wide)
    over = aten.gt.Scalar(norm, maxnorm)
    factor = aten.mul.Scalar(aten.reciprocal.default(aten.add.Scalar(norm, 1e-7)), maxnorm)
    factor = aten.where.self(over, factor, aten.ones_like.default(factor))
    return aten.to.dtype(factor, self.dtype)
