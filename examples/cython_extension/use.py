"""Register the Cython kernel and call it; run it where `scaled` was built."""

import scaled

import runtime

lib = runtime.Library("scaled", "DEF")
lib.define("scale(Tensor x, float factor) -> Tensor")
lib.impl("scale", scaled.kernel, "CPU")
print(runtime.ops.scaled.scale(runtime.arange(4, dtype=runtime.float32), 0.5))
