"""Modes that users reach for first: `DebugMode`, `FlopCounterMode`, `MemoryTracker` and `NanDetector`."""

from runtime.tools.debug_mode import DebugMode
from runtime.tools.flop_counter import FlopCounterMode, register_flop_formula
from runtime.tools.memory_tracker import MemoryTracker
from runtime.tools.nan_detector import NanDetector, NanError

__all__ = ["DebugMode", "FlopCounterMode", "MemoryTracker", "NanDetector", "NanError", "register_flop_formula"]
