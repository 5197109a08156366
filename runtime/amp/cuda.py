"""What ``torch.cuda.amp`` has."""

from runtime._core import dtype_names
from runtime.amp.autocast_mode import amp_definitely_not_available
from runtime.amp.deprecated import _cast, autocast_for, custom_bwd, custom_fwd, grad_scaler_for
from runtime.amp.grad_scaler import OptState

__all__ = ["GradScaler", "OptState", "_cast", "amp_definitely_not_available", "autocast", "custom_bwd", "custom_fwd"]

autocast = autocast_for("cuda", dtype_names["float16"])
GradScaler = grad_scaler_for("cuda")
