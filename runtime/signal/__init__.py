"""Signal processing."""

from runtime.signal import windows as windows
