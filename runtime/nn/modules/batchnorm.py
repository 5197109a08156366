"""Normalization by statistics of batches or instances, with running statistics as buffers."""

import warnings

import runtime
from runtime.nn import functional as F
from runtime.nn.modules._layer import fill_affine, parameter
from runtime.nn.modules.module import Module

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _NormBase(Module):
    """Parameters, buffers and state of both kinds; version 2 counts batches."""

    _version = 2

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        parameter(self, "weight", (num_features,), device, dtype, affine)
        parameter(self, "bias", (num_features,), device, dtype, affine and bias)
        tracked = track_running_stats
        self.register_buffer("running_mean", runtime.zeros(num_features, device=device, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", runtime.ones(num_features, device=device, dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", runtime.tensor(0, dtype=runtime.int64, device=device) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Forget the running statistics."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Set weights to 1 and biases to 0, and forget the running statistics."""
        self.reset_running_stats()
        if self.affine:
            fill_affine(self.weight, self.bias)

    def _check_input_dim(self, input):
        if input.dim() not in self.dims:
            raise ValueError(f"expected {' or '.join(f'{n}D' for n in self.dims)} input (got {input.dim()}D input)")

    def extra_repr(self):
        """The settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        version = local_metadata.get("version")
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            counted = self.num_batches_tracked
            usable = counted is not None and not counted.is_meta
            state_dict[key] = counted if usable else runtime.tensor(0, dtype=runtime.int64)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)


class _BatchNorm(_NormBase):
    """Normalization over all dimensions but that of the channels."""

    def forward(self, input):
        """The input, normalized by the batch's statistics in training and by the running ones otherwise."""
        self._check_input_dim(input)
        training, tracked = self.training, self.track_running_stats
        momentum = self.momentum
        if training and tracked and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                # The mean over all batches.
                momentum = 1.0 / float(self.num_batches_tracked)
        mean, var = self.running_mean, self.running_var
        by_batch = training or (mean is None and var is None)
        if training and not tracked:
            mean = var = None
        return F.batch_norm(input, mean, var, self.weight, self.bias, by_batch, 0.0 if momentum is None else momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    """Batch normalization of (N, C) or (N, C, L).

    Parameters
    ----------
    num_features : int
        The number of channels.
    eps : float
        Added to variances.
    momentum : float or None
        The weight of the newest batch in the running statistics; None for their mean.
    affine : bool
        Whether weights and biases are learned.
    track_running_stats : bool
        Whether statistics of evaluation are those seen in training.
    device, dtype : optional
        Of parameters and statistics.
    bias : bool
        Whether an affine layer has biases.
    """

    dims = 2, 3


class BatchNorm2d(_BatchNorm):
    """Batch normalization of (N, C, H, W); see `BatchNorm1d` for the parameters."""

    dims = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalization of (N, C, D, H, W); see `BatchNorm1d` for the parameters."""

    dims = (5,)


class _InstanceNorm(_NormBase):
    """Normalization of each channel of each example."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None, *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        if local_metadata.get("version") is None and not self.track_running_stats:
            keys = [prefix + name for name in ("running_mean", "running_var") if prefix + name in state_dict]
            if keys:
                names, kind = " and ".join(f'"{key}"' for key in keys), type(self).__name__
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {names} for {kind} with track_running_stats=False. If state_dict is a checkpoint "
                    f"saved before 0.4.0, this may be expected because {kind} does not track running stats by default since 0.4.0. Please "
                    "remove these keys from state_dict. If the running stats are actually needed, instead set track_running_stats=True in "
                    f"{kind} to enable them. See the documentation of {kind} for details."
                )
                for key in keys:
                    del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)

    def forward(self, input):
        """The input, each channel normalized by itself (or by the running statistics, in evaluation)."""
        self._check_input_dim(input)
        unbatched = input.dim() == self.dims[0]
        channels = 0 if unbatched else 1
        found = input.size(channels)
        if found != self.num_features:
            if self.affine:
                raise ValueError(f"expected input's size at dim={channels} to match num_features ({self.num_features}), but got: {found}.")
            warnings.warn(
                f"input's size at dim={channels} does not match num_features. You can silence this warning by not passing in num_features, "
                "which is not used because affine=False",
                stacklevel=2,
            )
        batch = input.unsqueeze(0) if unbatched else input
        result = F.instance_norm(
            batch, self.running_mean, self.running_var, self.weight, self.bias, self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return result.squeeze(0) if unbatched else result


class InstanceNorm1d(_InstanceNorm):
    """Instance normalization of (N, C, L) or (C, L); see `BatchNorm1d` for the parameters."""

    dims = 2, 3


class InstanceNorm2d(_InstanceNorm):
    """Instance normalization of (N, C, H, W) or (C, H, W); see `BatchNorm1d` for the parameters."""

    dims = 3, 4


class InstanceNorm3d(_InstanceNorm):
    """Instance normalization of (N, C, D, H, W) or (C, D, H, W); see `BatchNorm1d` for the parameters."""

    dims = 4, 5
