"""Mixed precision: regions in which operators run in the dtype that suits them, and scaling of losses for float16.

The policies and the thread's state are the core's (runtime/core/autocast.pxi, kernels/keys.yaml). `cpu` and `cuda` have PyTorch's older names for
single devices.
"""

from runtime.amp.autocast_mode import _enter_autocast, _exit_autocast, autocast, custom_bwd, custom_fwd, is_autocast_available
from runtime.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "_enter_autocast", "_exit_autocast", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
