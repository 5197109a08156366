"""Linear layers and convolutions that do what the batch normalization behind them did."""

import copy

import runtime
from runtime.nn.parameter import Parameter


def _scaled(weight, bias, bn_rm, bn_rv, bn_eps, bn_w, bn_b, dim):
    """The weight, scaled along a dimension, and the bias that go with the running statistics of a normalization."""
    scale = runtime.rsqrt(bn_rv + bn_eps)
    if bn_w is not None:
        scale = scale * bn_w
    shape = [1] * weight.dim()
    shape[dim] = -1
    shift = ((-bn_rm if bias is None else bias - bn_rm) * scale) + (0 if bn_b is None else bn_b)
    return (
        Parameter((weight * scale.reshape(shape)).to(weight.dtype), weight.requires_grad),
        Parameter(shift.to(weight.dtype if bias is None else bias.dtype), False if bias is None else bias.requires_grad),
    )


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """The weight and bias of a convolution that normalizes what it computes.

    Parameters
    ----------
    conv_w, conv_b : Tensor
        Of the convolution; the bias may be None.
    bn_rm, bn_rv : Tensor
        The running mean and variance.
    bn_eps : float
    bn_w, bn_b : Tensor or None
        Of the normalization.
    transpose : bool
        Whether the convolution is a transposed one.

    Returns
    -------
    tuple of Parameter
    """
    return _scaled(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """The weight and bias of a linear layer that normalizes what it computes; see `fuse_conv_bn_weights`."""
    return _scaled(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _fused(layer, bn, *more):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    fused = copy.deepcopy(layer)
    statistics = bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    fused.weight, fused.bias = fuse_conv_bn_weights(fused.weight, fused.bias, *statistics, *more)
    return fused


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A copy of a convolution that does what it and the normalization behind it do; both are in eval mode."""
    return _fused(conv, bn, transpose)


def fuse_linear_bn_eval(linear, bn):
    """A copy of a linear layer that does what it and the normalization behind it do; both are in eval mode."""
    if not (linear.out_features == bn.num_features or bn.num_features == 1):
        raise AssertionError("To fuse, linear.out_features == bn.num_features or bn.num_features == 1")
    return _fused(linear, bn)
