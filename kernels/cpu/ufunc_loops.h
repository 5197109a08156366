/* NumPy's ufunc inner loops by C pointer: SIMD loops of a plain C signature that need no Python and no GIL. */
#ifndef KERNELS_CPU_UFUNC_LOOPS_H
#define KERNELS_CPU_UFUNC_LOOPS_H

#include "kernels/cpu/iterator.h"

/* Fill loops[dtype] for each dtype whose loop takes all inputs in that dtype and yields result_dtype(dtype) in all outputs: bool, the real
 * part's dtype or the dtype itself, by the flags of the operator. Entries without such a loop are left alone. 0, or -1 with an exception. */
int rt_ufunc_loops(const char *name, int nin, int nout, int pointwise_flags, rt_loop *loops);

#endif
