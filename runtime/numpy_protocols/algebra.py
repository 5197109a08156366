"""NumPy's products, linear algebra and Fourier transforms, on tensors. Each has NumPy's name and arguments."""

import runtime
from runtime.numpy_protocols import ufuncs
from runtime.numpy_protocols.arrays import axes_of, axis_of, cast, finish, floating, is_given, ours, promoted, require, tensor_of

# ------------------------------------------------------------------------------------------------------------------------ products


def dot(a, b, out=None):
    x, y = promoted(a, b)
    if x.ndim == 0 or y.ndim == 0:
        result = x * y
    elif x.ndim <= 2 and y.ndim <= 2:
        result = runtime.matmul(x, y)
    else:
        result = runtime.tensordot(x, y, ([x.ndim - 1], [max(y.ndim - 2, 0)]))
    return finish("numpy.dot", result, out)


def vdot(a, b, /):
    x, y = promoted(a, b)
    return runtime.vdot(x.reshape(-1), y.reshape(-1))


def inner(a, b, /):
    x, y = promoted(a, b)
    return x * y if x.ndim == 0 or y.ndim == 0 else runtime.inner(x, y)


def outer(a, b, out=None):
    x, y = promoted(a, b)
    return finish("numpy.outer", runtime.outer(x.reshape(-1), y.reshape(-1)), out)


def kron(a, b):
    return runtime.kron(tensor_of(a), tensor_of(b))


def tensordot(a, b, axes=2):
    x, y = promoted(a, b)
    if not isinstance(axes, int):
        first, second = axes
        axes = (list(axes_of(first, x.ndim)), list(axes_of(second, y.ndim)))
    return runtime.tensordot(x, y, axes)


def einsum(*operands, out=None, optimize=False, **options):
    require(not options and isinstance(operands[0], str))
    equation, tensors = operands[0], promoted(*operands[1:])
    return finish("numpy.einsum", runtime.einsum(equation, *tensors), out)


def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    t = cast(a, dtype)
    result = runtime.diagonal(t, offset, axis_of(axis1, t.ndim), axis_of(axis2, t.ndim)).sum(-1)
    return finish("numpy.trace", result, out)


def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    x, y = promoted(a, b)
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = (t.movedim(axis_of(d, t.ndim), -1) for t, d in ((x, axisa), (y, axisb)))
    require(x.shape[-1] == y.shape[-1] == 3)
    result = runtime.linalg.cross(*runtime.broadcast_tensors(x, y), dim=-1)
    return result.movedim(-1, axis_of(axisc, result.ndim))


def polyval(p, x):
    coefficients, x = tensor_of(p), tensor_of(x)
    require(coefficients.ndim == 1)
    result = runtime.zeros_like(x)
    for c in coefficients:
        result = result * x + c
    return result


def convolve(a, v, mode="full"):
    a, v = promoted(a, v)
    require(a.ndim == v.ndim == 1 and a.numel() and v.numel() and a.is_floating_point() and mode in ("full", "same", "valid"))
    if v.numel() > a.numel():
        a, v = v, a
    n = v.numel()
    # A sliding product is the convolution with the second operand turned round.
    full = runtime.conv1d(a.reshape(1, 1, -1), v.flip(0).reshape(1, 1, -1), padding=n - 1).reshape(-1)
    if mode == "full":
        return full
    start = (n - 1) // 2 if mode == "same" else n - 1
    return full[start : start + (a.numel() if mode == "same" else a.numel() - n + 1)]


def correlate(a, v, mode="valid"):
    a, v = promoted(a, v)
    require(v.ndim == 1 and a.shape[:1] >= v.shape)
    return convolve(a, v.flip(0), mode)


# ------------------------------------------------------------------------------------------------------------------ linear algebra


def _of_matrices(function):
    """A function of matrices that takes no options."""
    return lambda a: function(floating(a))


def _solve(a, b):
    a, b = promoted(floating(a), floating(b))
    if b.ndim == 1:
        return runtime.linalg.solve(a, b.unsqueeze(-1)).squeeze(-1)
    stack = runtime.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return runtime.linalg.solve(a.expand(*stack, *a.shape[-2:]), b.expand(*stack, *b.shape[-2:]))


def _pinv(a, rcond=None, hermitian=False, *, rtol=None):
    rtol = rcond if not is_given(rtol) else rtol
    return runtime.linalg.pinv(floating(a), rtol=rtol if is_given(rtol) else 1e-15, hermitian=bool(hermitian))


def _svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    t = floating(a)
    return runtime.linalg.svd(t, bool(full_matrices)) if compute_uv else runtime.linalg.svdvals(t)


def _qr(a, mode="reduced"):
    require(mode in ("reduced", "complete", "r"))
    found = runtime.linalg.qr(floating(a), mode)
    return found.R if mode == "r" else found


def _matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    t = floating(A)
    require(t.ndim >= 2)
    options = {"atol": tol, "rtol": 0.0} if tol is not None else {"rtol": rtol} if rtol is not None else {}
    return runtime.linalg.matrix_rank(t, hermitian=bool(hermitian), **options)


def _norm(x, ord=None, axis=None, keepdims=False):
    t = floating(x)
    axis = axis if axis is None or isinstance(axis, int) else axes_of(axis, t.ndim)
    if axis is None and ord is not None:
        require(t.ndim in (1, 2))
        axis = tuple(range(t.ndim)) if t.ndim == 2 else 0
    return runtime.linalg.norm(t, ord, axis, bool(keepdims))


def _vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    t = floating(x)
    return runtime.linalg.vector_norm(t, ord, None if axis is None else axes_of(axis, t.ndim), bool(keepdims))


def _outer(x1, x2, /):
    if tensor_of(x1).ndim != 1 or tensor_of(x2).ndim != 1:
        raise ValueError(f"Input arrays must be one-dimensional, but they have {tensor_of(x1).ndim} and {tensor_of(x2).ndim} dimensions.")
    return outer(x1, x2)


def _cross(x1, x2, /, *, axis=-1):
    if tensor_of(x1).shape[axis] != 3 or tensor_of(x2).shape[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors, but they are not.")
    return cross(x1, x2, axis=axis)


LINALG = {
    "cholesky": lambda a, /, *, upper=False: runtime.linalg.cholesky(floating(a), upper=bool(upper)),
    "cond": lambda x, p=None: runtime.linalg.cond(floating(x), p),
    "cross": _cross,
    "det": _of_matrices(ours("linalg.det")),
    "diagonal": lambda x, /, *, offset=0: runtime.diagonal(tensor_of(x), offset, -2, -1),
    "eig": _of_matrices(ours("linalg.eig")),
    "eigh": lambda a, UPLO="L": runtime.linalg.eigh(floating(a), UPLO),
    "eigvals": _of_matrices(ours("linalg.eigvals")),
    "eigvalsh": lambda a, UPLO="L": runtime.linalg.eigvalsh(floating(a), UPLO),
    "inv": _of_matrices(ours("linalg.inv")),
    "matmul": lambda x1, x2, /: runtime.matmul(*promoted(x1, x2)),
    "matrix_norm": lambda x, /, *, keepdims=False, ord="fro": runtime.linalg.matrix_norm(floating(x), ord, keepdim=bool(keepdims)),
    "matrix_power": lambda a, n: runtime.linalg.matrix_power(tensor_of(a), n),
    "matrix_rank": _matrix_rank,
    "matrix_transpose": lambda x, /: tensor_of(x).mT,
    "multi_dot": lambda arrays, *, out=None: finish("numpy.linalg.multi_dot", runtime.linalg.multi_dot(promoted(*arrays)), out),
    "norm": _norm,
    "outer": _outer,
    "pinv": _pinv,
    "qr": _qr,
    "slogdet": _of_matrices(ours("linalg.slogdet")),
    "solve": _solve,
    "svd": _svd,
    "svdvals": lambda x, /: runtime.linalg.svdvals(floating(x)),
    "tensordot": lambda x1, x2, /, *, axes=2: tensordot(x1, x2, axes),
    "tensorinv": lambda a, ind=2: runtime.linalg.tensorinv(floating(a), ind),
    "tensorsolve": lambda a, b, axes=None: runtime.linalg.tensorsolve(*promoted(floating(a), floating(b)), dims=axes),
    "trace": lambda x, /, *, offset=0, dtype=None: trace(x, offset, -2, -1, dtype),
    "vecdot": lambda x1, x2, /, *, axis=-1: ufuncs.vecdot(x1, x2, axis),
    "vector_norm": _vector_norm,
}

# -------------------------------------------------------------------------------------------------------------- Fourier transforms


def _over_one_axis(name):
    function = ours(f"fft.{name}")

    def transform(a, n=None, axis=-1, norm=None, out=None):
        t = tensor_of(a)
        return finish(f"numpy.fft.{name}", function(t, n, axis_of(axis, t.ndim), norm), out)

    return transform


def _over_axes(name, axes_by_default):
    function = ours(f"fft.{name}")

    def transform(a, s=None, axes=axes_by_default, norm=None, out=None):
        t = tensor_of(a)
        axes = None if axes is None else axes_of(axes, t.ndim)
        return finish(f"numpy.fft.{name}", function(t, s, axes, norm), out)

    return transform


def _shift(name):
    function = ours(f"fft.{name}")

    def shift(x, axes=None):
        t = tensor_of(x)
        return function(t, axes_of(axes, t.ndim))

    return shift


FFT = {
    **{name: _over_one_axis(name) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{name: _over_axes(name, (-2, -1)) for name in ("fft2", "ifft2", "rfft2", "irfft2")},
    **{name: _over_axes(name, None) for name in ("fftn", "ifftn", "rfftn", "irfftn")},
    **{name: _shift(name) for name in ("fftshift", "ifftshift")},
}
