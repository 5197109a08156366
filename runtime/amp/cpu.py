"""What ``torch.cpu.amp`` has."""

from runtime._core import dtype_names
from runtime.amp.deprecated import autocast_for, grad_scaler_for

autocast = autocast_for("cpu", dtype_names["bfloat16"])
GradScaler = grad_scaler_for("cpu")
