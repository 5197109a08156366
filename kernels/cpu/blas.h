/* Products of strided matrices on the CPU (blas.c). */
#ifndef KERNELS_CPU_BLAS_H
#define KERNELS_CPU_BLAS_H

#include "kernels/shared/boxed.h"

/* A matrix in memory; steps in elements. */
typedef struct rt_matrix {
    char *data;
    int64_t rows, cols, row_step, col_step;
} rt_matrix;

/* A number argument as a product needs it. */
typedef struct rt_factor {
    double re, im;
    int64_t i;
} rt_factor;

int rt_read_factor(PyObject *number, rt_factor *out);
/* Have the BLAS functions been fetched: 0, or -1 with an exception set. To be called with the GIL held, before rt_gemm. */
int rt_blas_ready(void);
/* 1 where the element type has a product, else 0. */
int rt_has_gemm(int dtype);
/* c = alpha * a @ b + beta * c (c is not read where beta is 0): 0, or -1 where memory ran out. Touches no Python. */
int rt_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, rt_factor alpha, rt_factor beta);
/* The same for matrices of float32 or float64 where c's rows are contiguous, in tiles of registers (tiled_gemm.c): 1, or 0 and nothing done
 * where BLAS is better. */
int rt_tiled_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, double alpha, double beta);
/* Sum of the products of two vectors into *out. */
void rt_dot(int dtype, int64_t n, const char *a, int64_t a_step, const char *b, int64_t b_step, int conjugate, char *out);

/* Rows and columns up to which a product is not worth a call of BLAS. */
enum { RT_SMALL_GEMM = 16 };

/* Products of float32 or float64 matrices without alpha and beta, whose rows are a multiple of 8 and whose columns are a multiple of 16;
 * the rows of b and c are contiguous. The steps lead from the a, b and c of one product to those of the next, in elements. */
void rt_block_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, int64_t batches, const int64_t *steps);

#endif
