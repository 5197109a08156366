"""A kernel without a compiler on the machine: Numba (`pip install numba`) compiles a Python function to the typed ABI.

An rt_view (include/runtime/kernel.h) is read as words: 0 is the data pointer and 3 the number of elements; as half words, 12 says whether
the memory is contiguous.
"""

import numba
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

import runtime


@intrinsic
def pointer(typing_context, address):
    """The pointer with an address."""
    return types.voidptr(address), lambda context, builder, signature, args: builder.inttoptr(args[0], cgutils.voidptr_t)


@numba.cfunc(types.int32(types.voidptr, types.voidptr, types.voidptr, types.voidptr))
def square(inputs, outputs, scalars, context):
    view, out = numba.carray(inputs, 4, dtype=numba.int64), numba.carray(outputs, 4, dtype=numba.int64)
    if numba.carray(inputs, 14, dtype=numba.int32)[12] == 0:
        return 1
    x = numba.carray(pointer(view[0]), view[3], dtype=numba.float32)
    result = numba.carray(pointer(out[0]), out[3], dtype=numba.float32)
    for i in range(view[3]):
        result[i] = x[i] * x[i]
    return 0


lib = runtime.Library("numba_example", "DEF")
lib.define("square(Tensor x) -> Tensor")
lib.impl("square", runtime.TypedKernel(square, "same_as(0)", errors={1: "square takes contiguous tensors"}), "CPU")
print(runtime.ops.numba_example.square(runtime.arange(5, dtype=runtime.float32)))
