"""Which function of NumPy's is which function of ours, and what ``__array_function__`` does with them and with all others."""

import numpy as np

import runtime
from runtime._core import Tensor
from runtime.numpy_protocols import algebra, reductions, shapes
from runtime.numpy_protocols.arrays import NOT_BY_OPERATORS, by_numpy

# Functions of NumPy's that have a meaning here, by the file that says it; each stands there under NumPy's name, with NumPy's arguments.
NAMES = {
    shapes: """
        append argwhere astype atleast_1d atleast_2d atleast_3d array_split broadcast_arrays broadcast_to column_stack compress concatenate
        copy copyto delete diag diagflat diagonal dsplit dstack empty_like expand_dims extract flatnonzero flip fliplr flipud full_like hsplit
        hstack insert matrix_transpose meshgrid moveaxis ndim nonzero ones_like pad put_along_axis ravel repeat reshape roll rollaxis rot90 select
        shape size split squeeze stack swapaxes take take_along_axis tile transpose tril triu unstack vsplit vstack where zeros_like
    """,
    reductions: """
        all allclose amax amin angle any argmax argmin argsort around array_equal array_equiv average bincount clip corrcoef count_nonzero
        cov cumprod cumsum diff fix gradient i0 imag interp isclose iscomplexobj isin isneginf isposinf isrealobj max mean median min
        nan_to_num nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar percentile
        prod ptp quantile real round searchsorted sinc sort std sum trapezoid unique unwrap var
    """,
    algebra: "convolve correlate cross dot einsum inner kron outer polyval tensordot trace vdot",
}

LINALG = """
    cholesky cond cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose multi_dot
    norm outer pinv qr slogdet solve svd svdvals tensordot tensorinv tensorsolve trace vecdot vector_norm
"""

FFT = "fft fft2 fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft rfft2 rfftn"

# Functions that make an array like the one given as like=: under the name that shapes.py has for each.
MAKERS = "arange array asarray empty eye full identity ones zeros"

# Functions that write to an argument, and which one: without an operator NumPy writes to the tensor's memory.
WRITERS = {np.copyto: 0, np.fill_diagonal: 0, np.place: 0, np.put: 0, np.put_along_axis: 0, np.putmask: 0}

# Functions whose results have no gradient: NumPy may compute them though a tensor requires grad.
WITHOUT_GRADIENT = {np.array2string, np.array_repr, np.array_str, np.digitize, np.histogram, np.histogram2d, np.histogramdd}


def _table():
    found = {}
    for module, names in NAMES.items():
        found |= {getattr(np, name): getattr(module, name) for name in names.split() if hasattr(np, name)}
    found |= {getattr(np, name): getattr(shapes, f"{name}_like_") for name in MAKERS.split()}
    found |= {getattr(np.linalg, name): algebra.LINALG[name] for name in LINALG.split() if hasattr(np.linalg, name)}
    found |= {getattr(np.fft, name): algebra.FFT[name] for name in FFT.split()}
    return found


TABLE = _table()


def array_function(func, types, args, kwargs):
    """`Tensor.__array_function__`."""
    if not hasattr(func, "__name__") or not isinstance(kwargs, dict):
        raise TypeError("__array_function__() takes a function of NumPy's, the types, and the arguments as a tuple and a dict")
    for kind in types:
        if not issubclass(kind, (Tensor, np.ndarray)):
            return NotImplemented
    known = TABLE.get(func)
    if known is not None:
        try:
            return known(*args, **kwargs)
        except NOT_BY_OPERATORS:
            pass
    name = f"{getattr(func, '__module__', 'numpy')}.{func.__name__}"
    written = [args[WRITERS[func]]] if func in WRITERS and args else []
    out = kwargs.get("out")
    outs = out if isinstance(out, tuple) else (out,)
    with runtime.set_grad_enabled(runtime.is_grad_enabled() and func not in WITHOUT_GRADIENT):
        result = by_numpy(name, func, args, kwargs, [*written, *outs])
    return out if isinstance(out, (Tensor, np.ndarray)) else result
