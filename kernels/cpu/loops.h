/* Loops for kernels in Python: what NumPy has no function for, or none without large temporaries.
 *
 * A kernel in Python checks its arguments, makes its results and runs a loop by name (runtime/core/loops.pxi) over some range, in pieces and
 * in several threads, on the memory of contiguous arrays. A loop exists for float32 and for float64; half types come as float32. It sees
 * what it was given as a list, trusts it, and touches no Python. Those for float32 are built for several processors (RT_CLONES), those for
 * float64 once, which keeps the binary small.
 */
#ifndef KERNELS_CPU_LOOPS_H
#define KERNELS_CPU_LOOPS_H

#include "kernels/shared/threads.h"

#include <stdint.h>

typedef union rt_loop_arg {
    int64_t number;
    double factor;
    char *memory;
} rt_loop_arg;

typedef struct rt_named_loop {
    const char *name;
    /* A letter for each argument: x an array of the loop's dtype or None, k one of int64, i an int, f a float. */
    const char *signature;
    rt_range_fn f32, f64;
} rt_named_loop;

#define RT_LOOP(name) void rt_loop_##name##_f32(int64_t begin, int64_t end, void *ctx), rt_loop_##name##_f64(int64_t begin, int64_t end, void *ctx)

RT_LOOP(resample);             /* resampling.c */
RT_LOOP(resample_transposed);
RT_LOOP(grid_sample);          /* grids.c */
RT_LOOP(grid_sample_gradients);
RT_LOOP(pair_distances);       /* distances.c */
RT_LOOP(pair_gradients);
RT_LOOP(inner_distances);
RT_LOOP(inner_gradients);
RT_LOOP(span_sums);            /* span_gradients.c */
RT_LOOP(span_gradients);
RT_LOOP(attention_weights);    /* attention_weights.c */
RT_LOOP(bag_sums);             /* bags.c */
RT_LOOP(bag_maxima);
RT_LOOP(alignment_losses);     /* alignments.c */
RT_LOOP(alignment_gradients);
RT_LOOP(search_sorted);        /* searching.c */

extern const rt_named_loop rt_named_loops[]; /* ends with a name that is NULL */

#endif
