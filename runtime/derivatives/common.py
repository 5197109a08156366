"""Helpers that formulas of every family use."""


def scaled(grad, factor):
    """``grad * factor``, without a call where the factor is 1."""
    return grad if type(factor) is int and factor == 1 else grad * factor


def conj(x):
    """The conjugate of complex tensors and numbers; others as they are."""
    kind = type(x)
    if kind is int or kind is float or kind is bool:
        return x
    return x.conjugate() if kind is complex else x.conj() if x.is_complex() else x


def adjoint(x):
    """The conjugate transpose of matrices."""
    x = x.transpose(-2, -1)
    return x.conj() if x.is_complex() else x


def expanded(grad, shape, dim, keepdim):
    """The gradient of a sum over dimensions: the same number all along them."""
    if not keepdim and shape:
        ndim = len(shape)
        for d in sorted(d % ndim for d in dim) if dim else ():
            grad = grad.unsqueeze(d)
    return grad.expand(shape)
