"""A Python kernel, a Meta kernel, and a fallthrough: one operator at three keys."""

import runtime

lib = runtime.Library("python_example", "DEF")
lib.define("mean_square(Tensor x, *, float scale=1.0) -> Tensor")


def mean_square(x, *, scale=1.0):
    return (x * x).mean() * scale


lib.impl("mean_square", mean_square, "CPU")
lib.impl("mean_square", lambda x, *, scale=1.0: runtime.empty((), dtype=x.dtype, device="meta"), "Meta")
lib.impl("mean_square", runtime.fallthrough_kernel, "TESTING_ONLY_GenericMode")

x = runtime.arange(4, dtype=runtime.float32)
print(runtime.ops.python_example.mean_square(x, scale=2.0))
print(runtime.ops.python_example.mean_square(x.to(device="meta")).shape)
print(runtime.explain(runtime.ops.python_example.mean_square.default, x))
