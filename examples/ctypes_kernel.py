"""Ten lines of C become an operator: compiled at run time, loaded with ctypes, registered by address."""

import runtime
from runtime.inline import load_c

SOURCE = """
#include "runtime/kernel.h"
int clipped(const rt_view *in, rt_view *out, const rt_scalar *scalars, void *ctx)
{
    const float *x = in[0].data;
    float *r = out[0].data, limit = (float)scalars[0].d;
    if (in[0].dtype != RT_FLOAT32 || !in[0].is_contiguous) return 1;
    for (int64_t i = 0; i < in[0].numel; i++)
        r[i] = x[i] > limit ? limit : x[i];
    return 0;
}
"""

library = load_c(SOURCE)
lib = runtime.Library("ctypes_example", "DEF")
lib.define("clip(Tensor x, float limit) -> Tensor")
lib.impl("clip", runtime.TypedKernel(library.clipped, "same_as(0)", errors={1: "clip takes contiguous float32 tensors"}), "CPU")
print(runtime.ops.ctypes_example.clip(runtime.arange(5, dtype=runtime.float32), 2.5))
