"""Discrete Fourier transforms.

Three kernels transform: complex to complex, real to half a complex spectrum, and back. The public functions prepare their arguments (dtypes,
sizes by cutting or zeros, normalization), as PyTorch's do.
"""

import math

from runtime._core import dtype_names, get_default_dtype, ops
from runtime.kernels._arrays import memory, new, opmath, place_of, read
from runtime.kernels._common import complex_dtype, into, like, real_dtype, scalar_name, wrap_dim

aten = ops.aten

_NONE, _BY_ROOT_N, _BY_N = 0, 1, 2
_REALS = {dtype_names[name] for name in ("float16", "float32", "float64")}
_COMPLEXES = {dtype_names[name] for name in ("complex32", "complex64", "complex128")}


# ---- the kernels


def _order(self, dims):
    """The dimensions from the outermost to the innermost of a transform's result: those transformed are innermost, in the order given."""
    others = [d for d in range(self.dim()) if d not in dims]
    return sorted(others, key=self.stride, reverse=True) + list(dims)


def _by_stride(self, dims):
    return sorted(dims, key=self.stride, reverse=True)


def _result(self, sizes, order, dtype, op=None):
    """A tensor for a result, whose dimensions lie in memory in an order; for the result of the operator whose kernel asks."""
    if op is not None and order == sorted(order):
        return place_of(op, sizes, dtype, self.device)
    inner = aten.empty.memory_format([sizes[d] for d in order], dtype=dtype, device=self.device)
    return aten.permute.default(inner, [order.index(d) for d in range(len(order))])


def _scipy():
    """SciPy's transforms, which make several at a time by vector code; imported at the first use."""
    import scipy.fft

    return scipy.fft


def _unscaled(forward):
    """The normalization by which a direction does not scale."""
    return "backward" if forward else "forward"


def _scale(array, n, normalization):
    if normalization != _NONE:
        array *= array.real.dtype.type(1 / n if normalization == _BY_N else 1 / math.sqrt(n))


def _check_kind(name, t, dtypes, kind):
    if t.dtype not in dtypes:
        raise RuntimeError(f"{name}: expected a {kind} tensor, but got {t.dtype}")


def _fft_c2c(self, dim, normalization, forward):
    if not dim:
        return aten.clone.default(self)
    _check_kind("_fft_c2c", self, _COMPLEXES, "complex")
    out = _result(self, self.shape, _order(self, _by_stride(self, dim)), self.dtype, aten._fft_c2c.default)
    if self.is_meta:
        return out
    target = _transformed(out)
    target[...] = read(self)
    transform = _scipy().fftn if forward else _scipy().ifftn
    # In place, where SciPy agrees to that.
    result = transform(target, axes=tuple(dim), norm=_unscaled(forward), overwrite_x=True)
    if result is not target and result.base is not target:
        target[...] = result
    return _finished(out, target, math.prod(self.shape[d] for d in dim), normalization)


def _fft_r2c(self, dim, normalization, onesided):
    _check_kind("_fft_r2c", self, _REALS, "floating point")
    sizes = list(self.shape)
    last = dim[-1]
    if onesided:
        sizes[last] = sizes[last] // 2 + 1
    out = _result(self, sizes, _order(self, [*_by_stride(self, dim[:-1]), last]), complex_dtype(self.dtype), aten._fft_r2c.default)
    if self.is_meta:
        return out
    source, target = read(self), _transformed(out)
    target[...] = _scipy().rfftn(source, axes=tuple(dim)) if onesided else _scipy().fftn(source, axes=tuple(dim))
    return _finished(out, target, math.prod(self.shape[d] for d in dim), normalization)


def _fft_c2r(self, dim, normalization, last_dim_size):
    _check_kind("_fft_c2r", self, _COMPLEXES, "complex")
    if last_dim_size < 1:
        raise RuntimeError(f"Invalid number of data points ({last_dim_size}) specified")
    sizes = list(self.shape)
    last = dim[-1]
    sizes[last] = last_dim_size
    # A transform of several dimensions has a complex one before, which is what the last one reads.
    inner = self if len(dim) == 1 else _result(self, self.shape, _order(self, _by_stride(self, dim[:-1])), self.dtype)
    out = _result(self, sizes, _order(inner, [last]), real_dtype(self.dtype), aten._fft_c2r.default)
    if self.is_meta:
        return out
    source, target = read(self), _transformed(out)
    if len(dim) > 1:
        source = _scipy().ifftn(source, axes=tuple(dim[:-1]), norm="forward")
    target[...] = _scipy().irfft(source, n=last_dim_size, axis=last, norm="forward", overwrite_x=len(dim) > 1)
    return _finished(out, target, math.prod(self.shape[d] for d in dim[:-1]) * last_dim_size, normalization)


def _transformed(out):
    """What is transformed into: the result's memory, unless it is of a dtype that NumPy does not transform."""
    wide = opmath(out.dtype)
    return memory(out) if wide == out.dtype else memory(aten.empty_like.default(out, dtype=wide))


def _finished(out, target, n, normalization):
    _scale(target, n, normalization)
    if opmath(out.dtype) != out.dtype:
        aten.copy_.default(out, new(target))
    return out


# ---- arguments


def _normalization(norm, forward):
    if norm is None or norm == "backward":
        return _NONE if forward else _BY_N
    if norm == "forward":
        return _BY_N if forward else _NONE
    if norm == "ortho":
        return _BY_ROOT_N
    raise RuntimeError(f'Invalid normalization mode: "{norm}"')


def _promoted(x, needs_complex):
    dtype = x.dtype
    if dtype.is_complex:
        if dtype not in _COMPLEXES or dtype == dtype_names["complex32"]:
            raise RuntimeError(f"Unsupported dtype {dtype}")
        return x
    if not dtype.is_floating_point:
        dtype = get_default_dtype()
    if dtype not in _REALS or dtype == dtype_names["float16"]:
        raise RuntimeError(f"Unsupported dtype {'Half' if dtype == dtype_names['float16'] else 'BFloat16'}")
    if needs_complex:
        dtype = complex_dtype(dtype)
    return x if x.dtype == dtype else aten._to_copy.default(x, dtype=dtype)


def _checked_size(n):
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return n


def _resized(x, dims, sizes):
    """Cut dimensions, or fill them up with zeros at the end."""
    pad = [0, 0] * x.dim()
    for d, size in zip(dims, sizes):
        have = x.shape[d]
        if size < have:
            x = aten.slice.Tensor(x, d, 0, size)
        elif size > have:
            pad[2 * (x.dim() - 1 - d) + 1] = size - have
    return aten.constant_pad_nd.default(x, pad) if any(pad) else x


def _one_dim(x, dim):
    if x.dim() == 0:
        if dim in (0, -1):
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, x.dim())


def _c2c(x, n, dim, norm, forward):
    dim = _one_dim(x, dim)
    size = _checked_size(x.shape[dim] if n is None else n)
    if n is not None:
        x = _resized(x, (dim,), (size,))
    return aten._fft_c2c.default(x, (dim,), _normalization(norm, forward), forward)


def _r2c(name, x, n, dim, norm, forward, onesided):
    if x.dtype.is_complex:
        raise RuntimeError(f"{name} expects a floating point input tensor, but got {x.dtype}")
    x = _promoted(x, False)
    dim = _one_dim(x, dim)
    size = _checked_size(x.shape[dim] if n is None else n)
    if n is not None:
        x = _resized(x, (dim,), (size,))
    result = aten._fft_r2c.default(x, (dim,), _normalization(norm, forward), onesided)
    return result if forward else aten.conj.default(result)


def _c2r(x, n, dim, norm, forward):
    x = _promoted(x, True)
    dim = _one_dim(x, dim)
    size = _checked_size(2 * (x.shape[dim] - 1) if n is None else n)
    if n is not None:
        x = _resized(x, (dim,), (size // 2 + 1,))
    if forward:
        x = aten.conj.default(x)
    return aten._fft_c2r.default(x, (dim,), _normalization(norm, forward), size)


def _dims_and_sizes(x, s, dim):
    """The dimensions to transform and their sizes."""
    ndim = x.dim()
    if dim is not None:
        dims = [wrap_dim(d, ndim) for d in dim]
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
    if s is not None:
        if dim is not None and len(dims) != len(s):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
        if len(s) > ndim:
            raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions.")
        if dim is None:
            dims = list(range(ndim - len(s), ndim))
        sizes = [x.shape[d] if size == -1 else size for d, size in zip(dims, s)]
    else:
        if dim is None:
            dims = list(range(ndim))
        sizes = [x.shape[d] for d in dims]
    for size in sizes:
        _checked_size(size)
    return tuple(dims), sizes


def _last_size(x, s, dims):
    return 2 * (x.shape[dims[-1]] - 1) if s is None or s[-1] == -1 else s[-1]


# ---- one dimension


def fft_fft(self, n=None, dim=-1, norm=None):
    if self.dtype.is_complex:
        return _c2c(_promoted(self, True), n, dim, norm, True)
    return _r2c("fft", self, n, dim, norm, True, onesided=False)


def fft_ifft(self, n=None, dim=-1, norm=None):
    if self.dtype.is_complex:
        return _c2c(_promoted(self, True), n, dim, norm, False)
    return _r2c("ifft", self, n, dim, norm, False, onesided=False)


def fft_rfft(self, n=None, dim=-1, norm=None):
    return _r2c("rfft", self, n, dim, norm, True, onesided=True)


def fft_irfft(self, n=None, dim=-1, norm=None):
    return _c2r(self, n, dim, norm, False)


def fft_hfft(self, n=None, dim=-1, norm=None):
    return _c2r(self, n, dim, norm, True)


def fft_ihfft(self, n=None, dim=-1, norm=None):
    return _r2c("ihfft", self, n, dim, norm, False, onesided=True)


# ---- many dimensions


def _many(x, s, dim, norm, forward):
    x = _promoted(x, True)
    dims, sizes = _dims_and_sizes(x, s, dim)
    return aten._fft_c2c.default(_resized(x, dims, sizes), dims, _normalization(norm, forward), forward)


def fft_fftn(self, s=None, dim=None, norm=None):
    return _many(self, s, dim, norm, True)


def fft_ifftn(self, s=None, dim=None, norm=None):
    return _many(self, s, dim, norm, False)


def fft_rfftn(self, s=None, dim=None, norm=None):
    if self.dtype.is_complex:
        raise RuntimeError(f"rfftn expects a real-valued input tensor, but got {scalar_name(self.dtype)}")
    x = _promoted(self, False)
    dims, sizes = _dims_and_sizes(x, s, dim)
    if not dims:
        raise RuntimeError("rfftn must transform at least one axis")
    return aten._fft_r2c.default(_resized(x, dims, sizes), dims, _normalization(norm, True), True)


def fft_irfftn(self, s=None, dim=None, norm=None):
    x = _promoted(self, True)
    dims, sizes = _dims_and_sizes(x, s, dim)
    if not dims:
        raise RuntimeError("irfftn must transform at least one axis")
    last = _checked_size(_last_size(x, s, dims))
    x = _resized(x, dims, [*sizes[:-1], last // 2 + 1])
    return aten._fft_c2r.default(x, dims, _normalization(norm, False), last)


def fft_hfftn(self, s=None, dim=None, norm=None):
    x = _promoted(self, True)
    dims, sizes = _dims_and_sizes(x, s, dim)
    if not dims:
        raise RuntimeError("hfftn must transform at least one axis")
    last = _checked_size(_last_size(x, s, dims))
    x = _resized(x, dims, [*sizes[:-1], last // 2 + 1])
    normalization = _normalization(norm, True)
    if len(dims) > 1:
        x = aten._fft_c2c.default(x, dims[:-1], normalization, True)
    return aten._fft_c2r.default(aten.conj.default(x), dims[-1:], normalization, last)


def fft_ihfftn(self, s=None, dim=None, norm=None):
    if self.dtype.is_complex:
        raise RuntimeError(f"ihfftn expects a real-valued input tensor, but got {scalar_name(self.dtype)}")
    x = _promoted(self, False)
    dims, sizes = _dims_and_sizes(x, s, dim)
    if not dims:
        raise RuntimeError("ihfftn must transform at least one axis")
    normalization = _normalization(norm, False)
    result = aten.conj.default(aten._fft_r2c.default(_resized(x, dims, sizes), dims[-1:], normalization, True))
    return aten._fft_c2c.default(result, dims[:-1], normalization, False) if len(dims) > 1 else result


def fft_fft2(self, s=None, dim=(-2, -1), norm=None):
    return aten.fft_fftn.default(self, s, dim, norm)


def fft_ifft2(self, s=None, dim=(-2, -1), norm=None):
    return aten.fft_ifftn.default(self, s, dim, norm)


def fft_rfft2(self, s=None, dim=(-2, -1), norm=None):
    return aten.fft_rfftn.default(self, s, dim, norm)


def fft_irfft2(self, s=None, dim=(-2, -1), norm=None):
    return aten.fft_irfftn.default(self, s, dim, norm)


def fft_hfft2(self, s=None, dim=(-2, -1), norm=None):
    return aten.fft_hfftn.default(self, s, dim, norm)


def fft_ihfft2(self, s=None, dim=(-2, -1), norm=None):
    return aten.fft_ihfftn.default(self, s, dim, norm)


def fft_hfft2_out(self, s=None, dim=(-2, -1), norm=None, *, out):
    return into(out, fft_hfft2(self, s, dim, norm))


def fft_ihfft2_out(self, s=None, dim=(-2, -1), norm=None, *, out):
    return into(out, fft_ihfft2(self, s, dim, norm))


# ---- helpers


def _inverse(x):
    return 1.0 / x if x else math.copysign(math.inf, x)


def fft_fftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, pin_memory=None):
    # 0 .. (n-1)//2, then -(n//2) .. -1
    k = aten.arange.default(n, dtype=dtype or get_default_dtype(), layout=layout, device=device, pin_memory=pin_memory)
    half = aten.slice.Tensor(k, 0, (n + 1) // 2)
    aten.copy_.default(half, aten.arange.start(-(n // 2), 0, dtype=k.dtype, device=device))
    return aten.mul_.Scalar(k, _inverse(n * d))


def fft_rfftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, pin_memory=None):
    k = aten.arange.default(n // 2 + 1, dtype=dtype or get_default_dtype(), layout=layout, device=device, pin_memory=pin_memory)
    return aten.mul_.Scalar(k, _inverse(n * d))


def fft_fftfreq_out(n, d=1.0, *, out):
    return into(out, fft_fftfreq(n, d, **like(out)))


def fft_rfftfreq_out(n, d=1.0, *, out):
    return into(out, fft_rfftfreq(n, d, **like(out)))


def _shifted(x, dim, amount):
    if x.dim() == 0:
        raise RuntimeError("`shifts` required")
    dims = range(x.dim()) if dim is None else [wrap_dim(d, x.dim()) for d in dim]
    return aten.roll.default(x, [amount(x.shape[d]) for d in dims], list(dims)) if len(dims) else aten.clone.default(x)


def fft_fftshift(self, dim=None):
    return _shifted(self, dim, lambda n: n // 2)


def fft_ifftshift(self, dim=None):
    return _shifted(self, dim, lambda n: (n + 1) // 2)
