/* Triangular systems of middle size, in the form of BLAS's trsm with alpha 1. (triangular.c) */
#ifndef KERNELS_CPU_TRIANGULAR_H
#define KERNELS_CPU_TRIANGULAR_H

#include "kernels/cpu/blas.h"

/* To be called after rt_blas_ready. They touch no Python. */
void rt_trsm_f32(char *side, char *uplo, char *trans, char *diag, int *m, int *n, void *alpha, void *a, int *lda, void *b, int *ldb);
void rt_trsm_f64(char *side, char *uplo, char *trans, char *diag, int *m, int *n, void *alpha, void *a, int *lda, void *b, int *ldb);

#endif
