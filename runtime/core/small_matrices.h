/* LU factorization and triangular solutions of small matrices, in the form of LAPACK's routines. (small_matrices.c) */
#ifndef RUNTIME_SMALL_MATRICES_H
#define RUNTIME_SMALL_MATRICES_H

/* By kind: 0 float, 1 double, 2 float complex, 3 double complex. Functions without prototypes are called through pointers only. */
extern void *const rt_small_getrf[4]; /* m, n, a, lda, ipiv, info */
extern void *const rt_small_trsm[4];  /* side, uplo, transa, diag, m, n, alpha, a, lda, b, ldb; side is L, alpha is 1 */

/* Exchanges of the rows of a matrix whose columns are contiguous: row k with row pivots[k], counted from 1; the last one first if
 * `backward`. */
void rt_exchange_rows(int *m, int *n, void *matrix, int *itemsize, int *pivots, int *exchanges, int *backward);

#endif
