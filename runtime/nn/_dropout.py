"""Dropout under the names and with the arguments of `nn.functional`."""

import warnings

from runtime import _core

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]


def check_probability(p):
    """Raise where a probability is none."""
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _call(name, input, p, training, inplace):
    check_probability(p)
    return _core.functions[name + "_" if inplace else name](input, p, training)


def dropout(input, p=0.5, training=True, inplace=False):
    """Zero each element with probability p in training, and scale the others by 1 / (1 - p)."""
    return _call("dropout", input, p, training, inplace)


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout to SELU's saturation value, with mean and variance kept."""
    return _call("alpha_dropout", input, p, training, inplace)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` of whole channels: dimensions after the second are dropped together."""
    return _call("feature_alpha_dropout", input, p, training, inplace)


def _with_batch(input, p, training, inplace, batched):
    if batched:
        return _call("feature_dropout", input, p, training, inplace)
    input = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
    result = _call("feature_dropout", input, p, training, inplace)
    return result.squeeze_(0) if inplace else result.squeeze(0)


def dropout1d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, L) or (C, L) with probability p."""
    check_probability(p)
    dim = input.dim()
    if dim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {dim}D input. Note that dropout1d exists to provide channel-wise dropout "
            "on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _with_batch(input, p, training, inplace, dim == 3)


def _warn(n, dim):
    warnings.warn(
        f"dropout{n}d: Received a {dim}-D input to dropout{n}d, which is deprecated and will result in an error in a future release. "
        f"To retain the behavior and silence this warning, please use dropout instead. Note that dropout{n}d exists to provide "
        f"channel-wise dropout on inputs with {n} spatial dimensions, a channel dimension, and an optional batch dimension "
        f"(i.e. {n + 1}D or {n + 2}D inputs).",
        stacklevel=3,
    )


def dropout2d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, H, W) with probability p; three dimensions are taken as (N, C, L)."""
    check_probability(p)
    dim = input.dim()
    if dim not in (3, 4):
        _warn(2, dim)
    if dim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - input is "
            "interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise dropout behavior, please "
            "switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _call("feature_dropout", input, p, training, inplace)


def dropout3d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W) with probability p."""
    check_probability(p)
    dim = input.dim()
    if dim not in (4, 5):
        _warn(3, dim)
    return _with_batch(input, p, training, inplace, dim == 5)
