"""The version of this package, and those of what it might be built for."""

from runtime import __version__

__all__ = ["__version__", "cuda", "debug", "hip", "xpu"]

cuda = hip = xpu = None
debug = False
