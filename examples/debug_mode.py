"""What a block calls, as a tree: public functions, their operators with shapes, times and the lines of this file."""

import runtime
from runtime.tools import DebugMode


def layer(x, weight):
    return runtime.nn.functional.linear(x, weight).relu()


x, weight = runtime.ones(2, 3), runtime.ones(4, 3)
with DebugMode(record_torchfunction=True, record_ids=True) as mode:
    layer(x, weight).sum()
print(mode.debug_string())

with DebugMode(record_stack_trace=True, record_times=True) as mode, DebugMode.log_tensor_hashes():
    layer(x, weight)
print(mode.debug_string())
