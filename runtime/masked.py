"""Reductions and normalizations over the elements that a mask chooses.

An element whose mask is False is replaced by the neutral value of the operation; where there is none (mean, variances), elements are
counted. Without a mask the operations are those of the package's namespace. `dim` may be one dimension, several, or None for all of
them; `dtype` is the dtype of the result.
"""

import math

from runtime import _core
from runtime import linalg as _linalg
from runtime.nn import functional as _nn

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp", "logsumexp", "mean", "median", "norm",
    "normalize", "prod", "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip

_functions = _core.functions
_dtypes = _core.dtype_names
_SMALL_INTEGERS = {_dtypes[name] for name in ("uint8", "bool", "int8", "int16", "int32")}


def _is_inexact(dtype):
    return dtype.is_floating_point or dtype.is_complex


def _dims(dim, ndim):
    """The dimensions as a sorted tuple of non-negative numbers; all for None and ()."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    limit, found = max(ndim, 1), []
    for d in (dim,) if isinstance(dim, int) else dim:
        if d in found:
            raise RuntimeError(f"dim={d} appears multiple times in the list of dims")
        if not -limit <= d < limit:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {d})")
        found.append(d % limit)
    return tuple(sorted(found))


def _mask_of(input, mask):
    """The mask as a bool tensor of the input's shape."""
    if mask.shape != input.shape:
        if mask.dim() > input.dim():
            raise IndexError("_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)")
        mask = mask.broadcast_to(input.shape)
    return mask.to(_dtypes["bool"])


def _lowest(name, dtype, sign):
    """The largest (sign 1) or smallest (-1) value of a dtype."""
    if dtype.is_floating_point:
        return sign * math.inf
    if dtype.is_complex or dtype == _dtypes["bool"]:
        raise NotImplementedError(f"identity of {name} on {dtype} input")
    limits = _core.iinfo(dtype)
    return limits.max if sign > 0 else limits.min


def _neutral(name, dtype, ord=None):
    if name in ("sum", "cumsum"):
        return 0
    if name in ("prod", "cumprod"):
        return 1
    if name == "logsumexp" and dtype.is_complex:
        return complex(-math.inf, 0)
    if name in ("amin", "argmin"):
        return _lowest(name, dtype, 1)
    if name == "norm":
        return math.inf if ord == -math.inf else 0
    return math.nan if name == "median" else _lowest(name, dtype, -1)


def _filled(name, input, mask, ord=None):
    """The input with neutral values where the mask is False."""
    if mask is None:
        return input
    fill = _core.tensor(_neutral(name, input.dtype, ord), dtype=input.dtype, device=input.device)
    return _functions["where"](_mask_of(input, mask), input, fill)


def _sum_dtype(dtype):
    return _dtypes["int64"] if dtype in _SMALL_INTEGERS else dtype


def sum(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The sum of the chosen elements."""
    return _functions["sum"](_filled("sum", input, mask), _dims(dim, input.dim()), bool(keepdim), dtype=dtype or _sum_dtype(input.dtype))


def prod(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The product of the chosen elements."""
    result = _filled("prod", input, mask).to(dtype or _sum_dtype(input.dtype))
    for d in reversed(_dims(dim, input.dim())):
        result = result.prod(d, bool(keepdim))
    return result


def _running(name, input, dim, dtype, mask):
    dtype = dtype or input.dtype
    return _functions[name](_filled(name, input, mask), _dims(dim, input.dim())[0], dtype=dtype).to(dtype)


def cumsum(input, dim, *, dtype=None, mask=None):
    """Running sums of the chosen elements."""
    return _running("cumsum", input, dim, dtype, mask)


def cumprod(input, dim, *, dtype=None, mask=None):
    """Running products of the chosen elements."""
    return _running("cumprod", input, dim, dtype, mask)


def _extreme(name, input, dim, keepdim, dtype, mask):
    return _functions[name](_filled(name, input, mask), _dims(dim, input.dim()), bool(keepdim)).to(dtype or input.dtype)


def amax(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The largest of the chosen elements."""
    return _extreme("amax", input, dim, keepdim, dtype, mask)


def amin(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The smallest of the chosen elements."""
    return _extreme("amin", input, dim, keepdim, dtype, mask)


def _place(name, input, dim, keepdim, dtype, mask):
    return _functions[name](_filled(name, input, mask), dim, bool(keepdim)).to(dtype or input.dtype)


def argmax(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The place of the largest of the chosen elements."""
    return _place("argmax", input, dim, keepdim, dtype, mask)


def argmin(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The place of the smallest of the chosen elements."""
    return _place("argmin", input, dim, keepdim, dtype, mask)


def _count(input, dim, keepdim, mask):
    """How many elements are chosen."""
    chosen = input.new_ones(input.shape, dtype=_dtypes["bool"]) if mask is None else _mask_of(input, mask)
    return _functions["sum"](chosen, _dims(dim, input.dim()), bool(keepdim), dtype=_dtypes["int64"])


def mean(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The mean of the chosen elements; NaN where none is."""
    result_dtype = dtype or input.dtype
    if not _is_inexact(result_dtype):
        raise ValueError(
            f"mean(): Could not infer output dtype. {'Input' if dtype is None else 'Optional'} dtype must be either "
            f"a floating point or complex dtype. Got: {result_dtype}"
        )
    return sum(input, dim, keepdim=keepdim, dtype=result_dtype, mask=mask) / _count(input, dim, keepdim, mask)


def median(input, dim=-1, *, keepdim=False, dtype=None, mask=None):
    """The median of the chosen elements along one dimension; NaN where none is."""
    dtype = dtype or input.dtype
    exact = not input.dtype.is_floating_point
    if exact:
        input = input.to(_dtypes["float32"])
    result = _functions["nanmedian"](_filled("median", input, mask), _dims(dim, input.dim())[0], keepdim)[0]
    if not exact:
        return result
    if _functions["isnan"](result).any():
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    return result.to(dtype)


def logsumexp(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The logarithm of the sum of exponentials of the chosen elements."""
    return _functions["logsumexp"](_filled("logsumexp", input, mask), _dims(dim, input.dim()), keepdim=keepdim).to(dtype or input.dtype)


def logaddexp(input, other, *, dtype=None, input_mask=None, other_mask=None):
    """The logarithm of the sum of exponentials of two tensors, each with a mask of its own."""
    pair = _filled("logaddexp", input, input_mask), _filled("logaddexp", other, other_mask)
    return _functions["logaddexp"](*pair).to(dtype or input.dtype)


def norm(input, ord=2.0, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The norm of the vectors of chosen elements."""
    filled = _filled("norm", input, mask, ord)
    return _linalg.vector_norm(filled, ord, _dims(dim, input.dim()), bool(keepdim), dtype=dtype or input.dtype)


def _deviation(input, dim, unbiased, correction, keepdim, dtype, mask, root):
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 1.0 if unbiased is None else float(unbiased)
    if dtype is None:
        dtype = input.dtype if _is_inexact(input.dtype) else _dtypes["float32"]
    compute_dtype = dtype if _is_inexact(dtype) else _dtypes["float32"]
    count = _count(input, dim, True, mask)
    deviation = input - sum(input, dim, keepdim=True, dtype=dtype, mask=mask) / count
    squares = deviation * (deviation.conj() if deviation.dtype.is_complex else deviation)
    total = sum(squares, dim, keepdim=keepdim, dtype=compute_dtype, mask=mask)
    if not keepdim:
        count = count.reshape(total.shape)
    if correction != 0:
        count = count.to(compute_dtype.to_real() if compute_dtype.is_complex else compute_dtype) - correction
        count = _functions["maximum"](count, count.new_zeros([]))
    result = (total / count).to(dtype)
    return _functions["sqrt"](result) if root else result


def var(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """The variance of the chosen elements; NaN where none is."""
    return _deviation(input, dim, unbiased, correction, keepdim, dtype, mask, False)


def std(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """The standard deviation of the chosen elements; NaN where none is."""
    return _deviation(input, dim, unbiased, correction, keepdim, dtype, mask, True)


def softmax(input, dim, *, dtype=None, mask=None):
    """The softmax over the chosen elements of a dimension."""
    return _nn.softmax(_filled("amax", input, mask), _dims(dim, input.dim())[0], dtype=dtype or input.dtype)


def log_softmax(input, dim, *, dtype=None, mask=None):
    """The logarithm of the softmax over the chosen elements of a dimension."""
    return _nn.log_softmax(_filled("amax", input, mask), _dims(dim, input.dim())[0], dtype=dtype or input.dtype)


def softmin(input, dim, *, dtype=None, mask=None):
    """The softmax of the negated chosen elements of a dimension."""
    return _nn.softmin(_filled("amin", input, mask), _dims(dim, input.dim())[0], dtype=dtype or input.dtype)


def normalize(input, ord, dim, *, eps=1e-12, dtype=None, mask=None):
    """The input divided by the norms of its vectors of chosen elements, or by eps where that is larger."""
    lengths = norm(input, ord, dim, keepdim=True, dtype=dtype or input.dtype, mask=mask)
    return _filled("sum", input, mask) / _functions["maximum"](lengths, lengths.new_full([], eps))
