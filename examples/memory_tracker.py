"""The memory that a block's results take, by operator, its peak, and a picture of it if matplotlib is there."""

import sys

import runtime
from runtime.tools import MemoryTracker

with MemoryTracker(record_source=True) as tracker:
    x = runtime.ones(256, 1024)
    for _ in range(3):
        x = (x * 2).sqrt()
print(tracker.summary())

name, size, alive, source = max(tracker.timeline, key=lambda entry: entry[2])
print("the peak:", name, source)
if len(sys.argv) > 1:
    tracker.plot(sys.argv[1])
