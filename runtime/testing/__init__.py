"""The harness that tests written for PyTorch import: `comparison`, `common_utils`, `device_type`, and the operator databases."""

from runtime.testing.comparison import assert_close

__all__ = ["assert_close"]


def __getattr__(name):
    from runtime.compat import resolve

    return resolve(f"torch.testing.{name}")
