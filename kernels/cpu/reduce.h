/* The engine of CPU reductions: which dimensions are walked by which loop (reduce.c). */
#ifndef KERNELS_CPU_REDUCE_H
#define KERNELS_CPU_REDUCE_H

#include "kernels/shared/boxed.h"

enum acc_kind { ACC_F32, ACC_F64, ACC_I64, ACC_C64, ACC_C128, ACC_U8, ACC_I8, ACC_I16, ACC_I32, ACC_U16, ACC_U32, ACC_U64 };

/* Columns that are reduced together at most: rows of so many are long enough for prefetching. */
enum { REDUCE_COLUMNS = 1024 };

/* Loops of one operation on one element type. Accumulators are initialised by the caller. */
typedef struct reduce_ops {
    void (*inner)(const char *p, int64_t n, int64_t step, void *acc);
    void (*outer)(const char *p, int64_t rows, int64_t row_step, int64_t cols, void *acc);
    void (*init)(void *acc, int64_t n);
    void (*merge)(void *into, const void *from, int64_t n);
    int acc_size;
    enum acc_kind kind;
} reduce_ops;

/* Reduce the dimensions of `mask` of in into out (whose sizes are in's with those dimensions of size 1 or left out), dividing by
 * `divisor` where it is not 0. */
int rt_reduce(const reduce_ops *ops, const RtTensor *in, uint64_t mask, RtTensor *out, int64_t divisor);

#endif
