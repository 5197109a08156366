"""The choice among kernels of `scaled_dot_product_attention`, as programs make it: there is one, whatever is chosen."""

from contextlib import contextmanager
from enum import IntEnum

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(IntEnum):
    """PyTorch's kernels of attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


_chosen = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH, SDPBackend.CUDNN_ATTENTION]


def _cur_sdpa_kernel_backends(with_priority=False):
    """The kernels that `sdpa_kernel` was told."""
    return list(_chosen)


@contextmanager
def sdpa_kernel(backends, set_priority=False):
    """For a ``with`` block: which kernels attention may use; results do not depend on it.

    Parameters
    ----------
    backends : SDPBackend or list of SDPBackend
    set_priority : bool
        Whether their order counts.
    """
    global _chosen
    backends = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(backends, list) or not all(isinstance(backend, SDPBackend) for backend in backends):
        raise AssertionError(f"sdpa_kernel() takes an SDPBackend or a list of them, not {backends!r}")
    before, _chosen = _chosen, list(dict.fromkeys(backends))
    try:
        yield
    finally:
        _chosen = before
