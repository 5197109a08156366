"""What PyTorch has in `torch.utils.data._utils` itself: facts that its loader's parts share."""

import sys

from runtime.utils.data.worker import MP_STATUS_CHECK_INTERVAL
from runtime.utils.exceptions import ExceptionWrapper

__all__ = ["HAS_NUMPY", "IS_WINDOWS", "MP_STATUS_CHECK_INTERVAL", "ExceptionWrapper"]

IS_WINDOWS = sys.platform == "win32"
HAS_NUMPY = True
