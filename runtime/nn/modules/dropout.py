"""Dropout layers."""

from runtime.nn import functional as F
from runtime.nn._dropout import check_probability
from runtime.nn.modules.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _DropoutNd(Module):
    """Drops in training with probability `p`; `function` says what."""

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        check_probability(p)
        self.p = p
        self.inplace = inplace

    def forward(self, input):
        """The input; in training some of it is dropped and the rest scaled."""
        return self.function(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        """Both settings."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Zero each element with probability `p` in training, and scale the others by ``1 / (1 - p)``."""

    function = F.dropout


class Dropout1d(_DropoutNd):
    """Zero whole channels of (N, C, L) or (C, L)."""

    function = F.dropout1d


class Dropout2d(_DropoutNd):
    """Zero whole channels of (N, C, H, W)."""

    function = F.dropout2d


class Dropout3d(_DropoutNd):
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W)."""

    function = F.dropout3d


class _SelfNormalizing(_DropoutNd):
    def forward(self, input):
        """The input; in training some of it is dropped and mean and variance are kept."""
        return self.function(input, self.p, self.training)


class AlphaDropout(_SelfNormalizing):
    """Dropout to SELU's saturation value, with mean and variance kept."""

    function = F.alpha_dropout


class FeatureAlphaDropout(_SelfNormalizing):
    """`AlphaDropout` of whole channels."""

    function = F.feature_alpha_dropout
