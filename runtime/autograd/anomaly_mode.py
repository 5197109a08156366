"""Anomaly mode: calls remember the Python stack that made them, and backward shows it where it fails.

The engine (runtime/core/backward_hooks.pxi) calls `forward_trace` for each call that it records in this mode, and `print_trace` for a node that
raised.
"""

import sys
import traceback
import warnings

from runtime import _core

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class detect_anomaly:
    """For a ``with`` block: find the call whose backward fails.

    Errors in backward come with the stack of the forward call; gradients that are nan are errors.

    Parameters
    ----------
    check_nan : bool
        Whether nan is an error.
    """

    def __init__(self, check_nan=True):
        self.prev, self.prev_check_nan = _core._is_anomaly_enabled(), _core._is_anomaly_check_nan_enabled()
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging.", stacklevel=2
        )

    def __enter__(self):
        _core._set_anomaly_mode(True, self.check_nan)

    def __exit__(self, *exception):
        _core._set_anomaly_mode(self.prev, self.prev_check_nan)


class set_detect_anomaly:
    """Set anomaly mode on or off from now on; at the end of a ``with`` block it is as before.

    Parameters
    ----------
    mode : bool
        Whether anomaly mode is on.
    check_nan : bool
        Whether gradients that are nan are errors.
    """

    def __init__(self, mode, check_nan=True):
        if not isinstance(mode, bool):
            raise TypeError(f"set_anomaly_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}")
        self.prev, self.prev_check_nan = _core._is_anomaly_enabled(), _core._is_anomaly_check_nan_enabled()
        _core._set_anomaly_mode(mode, check_nan)

    def __enter__(self):
        pass

    def __exit__(self, *exception):
        _core._set_anomaly_mode(self.prev, self.prev_check_nan)


def forward_trace():
    """The Python stack of the call that is being recorded, as a list of str."""
    return traceback.format_stack(sys._getframe(1))


def print_trace(node):
    """Warn with the stack of the forward call of a node that has raised, and those of the calls that led to it.

    Parameters
    ----------
    node : Node
        The node.
    """
    stack = node.metadata.get("traceback_")
    if stack is None:
        warnings.warn(
            f"Error detected in {node.name()}. No forward pass information available. Enable detect anomaly during forward pass for more "
            f"information.",
            stacklevel=2,
        )
    else:
        warnings.warn(f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{''.join(stack)}", stacklevel=2)
    parent = node.metadata.get("parent_")
    while parent is not None:
        start = f"\n\nPrevious calculation was induced by {parent.name()}. "
        stack = parent.metadata.get("traceback_")
        if stack is None:
            warnings.warn(f"{start}No forward pass information available.", stacklevel=2)
        else:
            warnings.warn(f"{start}Traceback of forward call that induced the previous calculation:\n{''.join(stack)}", stacklevel=2)
        parent = parent.metadata.get("parent_")
