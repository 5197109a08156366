"""Logs of operator calls: a tensor subclass that logs what is called on it, and a mode that logs everything."""

import runtime
from runtime.testing.logging_tensor import LoggingTensor, capture_logs, capture_logs_with_logging_tensor_mode, log_input

with capture_logs() as logs:
    x = LoggingTensor(runtime.tensor([3.0]))
    log_input("x", x)
    y = (x * x).exp()
print("\n".join(logs))

with capture_logs_with_logging_tensor_mode() as logs:
    runtime.nn.functional.linear(runtime.ones(2, 3), runtime.ones(4, 3), runtime.zeros(4)).relu()
print("\n".join(logs))
