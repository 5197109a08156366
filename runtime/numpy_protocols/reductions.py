"""NumPy's reductions, statistics, comparisons, sorts and functions of single elements, on tensors. Each has NumPy's name and arguments."""

import math

import numpy as np

import runtime
from runtime.numpy_protocols import ufuncs
from runtime.numpy_protocols.arrays import (
    NO_VALUE,
    axes_of,
    axis_of,
    cast,
    finish,
    floating,
    is_given,
    operand_of,
    ours,
    promoted,
    require,
    tensor_of,
)

# ------------------------------------------------------------------------------------------------------------------ sums and extremes


def _reduction(ufunc):
    def function(a, axis=None, dtype=None, out=None, keepdims=False, initial=NO_VALUE, where=True):
        result = ufuncs.reduce(ufunc, f"numpy.{ufunc.__name__}.reduce", (a,), (), axis, dtype, keepdims, initial, where)
        return finish(f"numpy.{ufunc.__name__}.reduce", result, out)

    return function


def _without_dtype(reduce):
    def function(a, axis=None, out=None, keepdims=False, initial=NO_VALUE, where=True):
        return reduce(a, axis, None, out, keepdims, initial, where)

    return function


sum = _reduction(np.add)
prod = _reduction(np.multiply)
max = amax = _without_dtype(_reduction(np.maximum))
min = amin = _without_dtype(_reduction(np.minimum))


def any(a, axis=None, out=None, keepdims=False, *, where=True):
    return _reduction(np.logical_or)(a, axis, None, out, keepdims, NO_VALUE, where)


def all(a, axis=None, out=None, keepdims=False, *, where=True):
    return _reduction(np.logical_and)(a, axis, None, out, keepdims, NO_VALUE, where)


def _keeps(keepdims):
    return keepdims is not NO_VALUE and bool(keepdims)


def ptp(a, axis=None, out=None, keepdims=False):
    keep = _keeps(keepdims)
    return finish("numpy.ptp", max(a, axis, None, keep) - min(a, axis, None, keep), out)


def count_nonzero(a, axis=None, *, keepdims=False):
    t = tensor_of(a)
    return sum(t != 0, axis, None, None, keepdims)


def _extreme_index(function):
    def index(a, axis=None, out=None, *, keepdims=False):
        t = tensor_of(a)
        t = t.to(runtime.uint8) if t.dtype is runtime.bool else t
        require(not t.is_complex())
        if axis is None:
            result = function(t.reshape(-1), 0)
            result = result.reshape([1] * t.ndim) if _keeps(keepdims) else result
        else:
            result = function(t, axis_of(axis, t.ndim or 1), _keeps(keepdims))
        return finish(f"numpy.{function.__name__}", result, out)

    return index


argmax = _extreme_index(ours("argmax"))
argmin = _extreme_index(ours("argmin"))


def _cumulative(function):
    def scan(a, axis=None, dtype=None, out=None):
        t = cast(a, dtype)
        t, axis = (t.reshape(-1), 0) if axis is None or t.ndim == 0 and axis in (0, -1) else (t, axis)
        return finish(f"numpy.{function.__name__}", function(t, axis_of(axis, t.ndim)), out)

    return scan


cumsum = _cumulative(ours("cumsum"))
cumprod = _cumulative(ours("cumprod"))

# -------------------------------------------------------------------------------------------------------------------- statistics


def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    t = floating(cast(a, dtype))
    axes = axes_of(axis, t.ndim)
    require(axes or t.ndim == 0)
    if where is True or where is NO_VALUE:
        result = runtime.mean(t, axes, _keeps(keepdims))
    else:
        mask = tensor_of(where).to(runtime.bool).broadcast_to(t.shape)
        result = sum(t, axes, None, None, keepdims, where=mask) / runtime.sum(mask, axes, _keeps(keepdims))
    return finish("numpy.mean", result, out)


def _spread(function):
    def spread(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=NO_VALUE, correction=NO_VALUE):
        require((where is True or where is NO_VALUE) and not is_given(mean))
        t = floating(cast(a, dtype))
        axes = axes_of(axis, t.ndim)
        require(axes or t.ndim == 0)
        correction = ddof if correction is NO_VALUE else correction
        return finish(f"numpy.{function.__name__}", function(t, axes, correction=correction, keepdim=_keeps(keepdims)), out)

    return spread


std = _spread(ours("std"))
var = _spread(ours("var"))


def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    t = floating(a)
    axes = axes_of(axis, t.ndim)
    require(axes or t.ndim == 0)
    if weights is None:
        result = mean(t, axes, keepdims=keepdims)
        scale = runtime.full_like(result, t.numel() / (result.numel() or 1))
        return (result, scale) if returned else result
    w = tensor_of(weights)
    if w.shape != t.shape:
        require(len(axes) == 1 and w.ndim == 1 and w.shape[0] == t.shape[axes[0]])
        w = w.reshape([-1 if d == axes[0] else 1 for d in range(t.ndim)]).broadcast_to(t.shape)
    w = w.to(runtime.result_type(t, w))
    scale = runtime.sum(w, axes, _keeps(keepdims))
    result = runtime.sum(t * w, axes, _keeps(keepdims)) / scale
    return (result, scale.to(result.dtype)) if returned else result


METHODS = {"linear", "lower", "higher", "midpoint", "nearest"}


def _quantile(function, percent):
    name = f"numpy.{function.__name__}"

    def quantiles(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None, interpolation=None):
        t = floating(a)
        require(method in METHODS and weights is None and interpolation is None and t.dtype in (runtime.float32, runtime.float64))
        require(t.numel() > 0)
        share = runtime.as_tensor(q).to(runtime.float64) if isinstance(q, runtime.Tensor) else runtime.tensor(np.asarray(q, float))
        require(share.ndim <= 1)
        share = (share / 100 if percent else share).to(t.dtype)
        axes = axes_of(axis, t.ndim)
        kept = [d for d in range(t.ndim) if d not in axes]
        moved = t.permute((*kept, *axes)).reshape([*[t.shape[d] for d in kept], -1])
        result = function(moved, share, -1, interpolation=method)
        if _keeps(keepdims):
            result = result.reshape((*share.shape, *(1 if d in axes else n for d, n in enumerate(t.shape))))
        return finish(name, result, out)

    return quantiles


quantile = _quantile(ours("quantile"), False)
percentile = _quantile(ours("quantile"), True)
nanquantile = _quantile(ours("nanquantile"), False)
nanpercentile = _quantile(ours("nanquantile"), True)


def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    return quantile(a, 0.5, axis, out, keepdims=keepdims)


def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    return nanquantile(a, 0.5, axis, out, keepdims=keepdims)


def _variables(m, y, rowvar):
    """Variables in rows: what cov and corrcoef take, with a second set below the first."""
    rows = []
    for x in (m, y):
        if x is None:
            continue
        t = floating(x)
        require(1 <= t.ndim <= 2)
        rows.append(t.reshape(1, -1) if t.ndim == 1 else t if rowvar else t.T)
    return rows[0] if len(rows) == 1 else runtime.cat(promoted(*rows))


def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    rows = _variables(cast(m, dtype), y, rowvar)
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = {"fweights": fweights, "aweights": aweights}
    weights = {name: None if w is None else tensor_of(w) for name, w in weights.items()}
    return runtime.cov(rows, correction=int(ddof), **weights).squeeze()


def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    return runtime.corrcoef(_variables(cast(x, dtype), y, rowvar)).squeeze()


def bincount(x, /, weights=None, minlength=0):
    return runtime.bincount(tensor_of(x), None if weights is None else tensor_of(weights), int(minlength))


# ------------------------------------------------------------------------------------------------------- reductions without NaNs


def _filled(a, value):
    t = tensor_of(a)
    return runtime.where(t.isnan(), value, t) if t.is_floating_point() or t.is_complex() else t


def nansum(a, axis=None, dtype=None, out=None, keepdims=False, initial=NO_VALUE, where=True):
    return sum(_filled(a, 0), axis, dtype, out, keepdims, initial, where)


def nanprod(a, axis=None, dtype=None, out=None, keepdims=False, initial=NO_VALUE, where=True):
    return prod(_filled(a, 1), axis, dtype, out, keepdims, initial, where)


def nancumsum(a, axis=None, dtype=None, out=None):
    return cumsum(_filled(a, 0), axis, dtype, out)


def nancumprod(a, axis=None, dtype=None, out=None):
    return cumprod(_filled(a, 1), axis, dtype, out)


def _nan_extreme(reduce, fill):
    def extreme(a, axis=None, out=None, keepdims=False, initial=NO_VALUE, where=True):
        t = tensor_of(a)
        if not t.is_floating_point():
            return reduce(t, axis, out, keepdims, initial, where)
        require(initial is NO_VALUE and where in (True, NO_VALUE))
        result = reduce(_filled(t, fill), axis, None, keepdims)
        return finish("numpy.nanmax", runtime.where(all(t.isnan(), axis, None, keepdims), math.nan, result), out)

    return extreme


nanmax = _nan_extreme(max, -math.inf)
nanmin = _nan_extreme(min, math.inf)


def nanmean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    t = floating(cast(a, dtype))
    require(where is True or where is NO_VALUE)
    return finish("numpy.nanmean", mean(_filled(t, 0), axis, None, None, keepdims, where=~t.isnan()), out)


def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=NO_VALUE, correction=NO_VALUE):
    require((where is True or where is NO_VALUE) and not is_given(mean))
    t = floating(cast(a, dtype))
    there = ~t.isnan()
    t = runtime.where(there, t, 0)
    freedom = sum(there, axis, None, None, keepdims) - (ddof if correction is NO_VALUE else correction)
    center = sum(t, axis, None, None, True) / sum(there, axis, None, None, True)
    squares = sum(runtime.where(there, (t - center).abs() ** 2, 0), axis, None, None, keepdims)
    return finish("numpy.nanvar", runtime.where(freedom > 0, squares / freedom, math.nan), out)


def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=NO_VALUE, correction=NO_VALUE):
    variance = nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    return finish("numpy.nanstd", variance.sqrt(), out)


# ---------------------------------------------------------------------------------------------------------- sorting, searching


def _sortable(a, axis, order):
    t = tensor_of(a)
    require(order is None and not t.is_complex())
    return (t.reshape(-1), 0) if axis is None else (t, axis_of(axis, t.ndim))


def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    t, axis = _sortable(a, axis, order)
    return runtime.sort(t, dim=axis, stable=True)[0]


def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    t, axis = _sortable(a if axis is None or tensor_of(a).ndim else tensor_of(a).reshape(1), axis, order)
    return runtime.argsort(t, dim=axis, stable=True)


def searchsorted(a, v, side="left", sorter=None):
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got '{side}')")
    ordered, values = promoted(a, v)
    require(ordered.ndim == 1 and not ordered.is_complex())
    return runtime.searchsorted(ordered, values, side=side, sorter=None if sorter is None else tensor_of(sorter))


def unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True):
    t = tensor_of(ar)
    require(not return_index and axis is None and not t.is_complex() and t.numel() > 0)
    require(not t.is_floating_point() or not bool(t.isnan().any()))
    return runtime.unique(t, True, bool(return_inverse), bool(return_counts))


def unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    t = tensor_of(p)
    require(t.is_floating_point() and t.ndim > 0)
    axis, half = axis_of(axis, t.ndim), period / 2
    t = t.movedim(axis, -1)
    steps = t.diff()
    within = runtime.remainder(steps + half, period) - half
    within = runtime.where((within == -half) & (steps > 0), half, within)
    turns = runtime.where(steps.abs() < (half if discont is None else discont), 0.0, within - steps)
    return runtime.cat([t[..., :1], t[..., 1:] + turns.cumsum(-1)], -1).movedim(-1, axis)


def isin(element, test_elements, assume_unique=False, invert=False, *, kind=None):
    elements, tests = promoted(element, test_elements)
    require(elements.dtype is not runtime.bool and not elements.is_complex())
    return runtime.isin(elements, tests, assume_unique=bool(assume_unique), invert=bool(invert))


def interp(x, xp, fp, left=None, right=None, period=None):
    require(period is None)
    at, places, values = floating(x), floating(xp), floating(fp)
    require(places.ndim == 1 and places.shape == values.shape and places.shape[0] > 1 and not at.is_complex())
    at, places = promoted(at, places)
    above = runtime.searchsorted(places, at, side="right").clamp(1, places.shape[0] - 1)
    x0, x1, y0, y1 = places[above - 1], places[above], values[above - 1], values[above]
    result = y0 + (y1 - y0) / (x1 - x0) * (at - x0)
    result = runtime.where(at >= places[-1], values[-1], runtime.where(at <= places[0], values[0], result))
    if left is not None:
        result = runtime.where(at < places[0], operand_of(left), result)
    return result if right is None else runtime.where(at > places[-1], operand_of(right), result)


# ---------------------------------------------------------------------------------------------------------------- comparisons


def isclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    x, y = promoted(a, b)
    require(isinstance(rtol, (int, float)) and isinstance(atol, (int, float)) and x.dtype is not runtime.bool)
    return runtime.isclose(x, y, rtol, atol, equal_nan)


def allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    return bool(isclose(a, b, rtol, atol, equal_nan).all())


def array_equal(a1, a2, equal_nan=False):
    x, y = tensor_of(a1), tensor_of(a2)
    if x.shape != y.shape:
        return False
    same = x == y
    if equal_nan:
        same = same | (x != x) & (y != y)
    return bool(same.all())


def array_equiv(a1, a2):
    x, y = tensor_of(a1), tensor_of(a2)
    try:
        runtime.broadcast_shapes(x.shape, y.shape)
    except RuntimeError:
        return False
    return bool((x == y).all())


# ------------------------------------------------------------------------------------------------------------ single elements


def clip(a, a_min=NO_VALUE, a_max=NO_VALUE, out=None, *, min=NO_VALUE, max=NO_VALUE, dtype=None, casting="same_kind", **options):
    require(not options)
    low, high = (min if a_min is NO_VALUE else a_min), (max if a_max is NO_VALUE else a_max)
    t = cast(a, dtype)
    bounds = [None if not is_given(b) else b if isinstance(b, (int, float)) else tensor_of(b) for b in (low, high)]
    if all_none(bounds):
        return finish("numpy.clip", t.clone(), out)
    if not all_numbers(bounds):
        bounds = [None if b is None else tensor_of(b) for b in bounds]
    return finish("numpy.clip", runtime.clamp(t, *bounds), out)


def all_none(values):
    return values == [None] * len(values)


def all_numbers(values):
    return {type(v) for v in values} <= {type(None), int, float}


def round(a, decimals=0, out=None):
    t = tensor_of(a)
    if not t.is_floating_point():
        require(not t.is_complex() and decimals >= 0)
        return finish("numpy.round", t.clone(), out)
    return finish("numpy.round", runtime.round(t, decimals=int(decimals)), out)


around = round


def fix(x, out=None):
    return finish("numpy.fix", runtime.trunc(tensor_of(x)), out)


def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    t = tensor_of(x)
    require(not t.is_complex() and isinstance(nan, (int, float)))
    return runtime.nan_to_num(t, nan, posinf, neginf) if copy else t.nan_to_num_(nan, posinf, neginf)


def sinc(x):
    return runtime.sinc(floating(x))


def i0(x):
    return runtime.i0(floating(x))


def angle(z, deg=False):
    result = runtime.angle(tensor_of(z))
    return runtime.rad2deg(result) if deg else result


def real(val):
    return runtime.real(tensor_of(val))


def imag(val):
    t = tensor_of(val)
    return runtime.imag(t) if t.is_complex() else runtime.zeros_like(t)


def iscomplexobj(x):
    return tensor_of(x).is_complex()


def isrealobj(x):
    return not tensor_of(x).is_complex()


def isposinf(x, out=None):
    return finish("numpy.isposinf", runtime.isposinf(tensor_of(x)), out)


def isneginf(x, out=None):
    return finish("numpy.isneginf", runtime.isneginf(tensor_of(x)), out)


# ------------------------------------------------------------------------------------------------------- differences and integrals


def diff(a, n=1, axis=-1, prepend=NO_VALUE, append=NO_VALUE):
    t = tensor_of(a)
    if t.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    require(n >= 0)
    axis = axis_of(axis, t.ndim)
    ends = []
    for end in (prepend, append):
        end = None if end is NO_VALUE else tensor_of(end)
        if end is not None and end.ndim == 0:
            end = end.broadcast_to([1 if d == axis else size for d, size in enumerate(t.shape)])
        ends.append(end)
    return runtime.diff(t, n, axis, *ends)


def gradient(f, *varargs, axis=None, edge_order=1):
    t = floating(f)
    axes = axes_of(axis, t.ndim)
    spacing = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    require(axes and len(spacing) == len(axes) and all_numbers(list(spacing)) and len({*axes}) == len(axes))
    parts = [runtime.gradient(t, spacing=float(step), dim=d, edge_order=edge_order)[0] for d, step in zip(axes, spacing)]
    return parts[0] if len(parts) == 1 else tuple(parts)


def trapezoid(y, x=None, dx=1.0, axis=-1):
    t = floating(y)
    axis = axis_of(axis, t.ndim)
    if x is not None:
        return runtime.trapezoid(t, tensor_of(x), dim=axis)
    require(isinstance(dx, (int, float)))
    return runtime.trapezoid(t, dx=dx, dim=axis)

