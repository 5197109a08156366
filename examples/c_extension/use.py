"""Register the extension's kernels and call them; run it where `fused` was built."""

import fused

import runtime
from runtime._core import _IncludeDispatchKeyGuard

lib = runtime.Library("fused", "DEF")
lib.define("axpy(Tensor x, Tensor y, float a) -> Tensor")
lib.impl("axpy", runtime.TypedKernel(fused.axpy, "same_as(0)", errors={1: "axpy takes contiguous float64 tensors"}), "CPU")
lib.impl("axpy", fused.count, "TESTING_ONLY_GenericMode")

x = runtime.ones(3, dtype=runtime.float64)
print(runtime.ops.fused.axpy(x, x, 2.0))
with _IncludeDispatchKeyGuard("TESTING_ONLY_GenericMode"):
    runtime.ops.fused.axpy(x, x, 3.0)
print("calls that the counting kernel saw:", fused.calls())
