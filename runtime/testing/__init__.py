"""The harness that tests written for PyTorch import: `comparison`, `creation`, `common_utils`, `device_type`, and the operator databases."""

from runtime.testing.comparison import assert_close
from runtime.testing.creation import make_tensor

__all__ = ["assert_close", "make_tensor"]


def __getattr__(name):
    from runtime.compat import resolve

    return resolve(f"torch.testing.{name}")
