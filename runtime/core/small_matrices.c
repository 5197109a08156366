/* See small_matrices.h. For matrices of a few rows LAPACK and BLAS spend most of their time on what prepares large ones (checks, packing,
 * the question how many threads shall work); in stacks of thousands of them that is what counts. The algorithms are theirs.
 */
#include "runtime/core/small_matrices.h"

#include <complex.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

static inline float size_f(float x) { return fabsf(x); }
static inline double size_d(double x) { return fabs(x); }
static inline float size_c(float complex x) { return fabsf(crealf(x)) + fabsf(cimagf(x)); }
static inline double size_z(double complex x) { return fabs(creal(x)) + fabs(cimag(x)); }
static inline float conj_f(float x) { return x; }
static inline double conj_d(double x) { return x; }
static inline float complex conj_c(float complex x) { return conjf(x); }
static inline double complex conj_z(double complex x) { return conj(x); }

#define ROUTINES(S, T, R)                                                                                                                \
    static void getrf_##S(int *rows, int *columns, T *a, int *lda, int *pivots, int *info)                                               \
    {                                                                                                                                    \
        int m = *rows, n = *columns, least = m < n ? m : n;                                                                              \
        ptrdiff_t ld = *lda;                                                                                                             \
        *info = 0;                                                                                                                       \
        for (int j = 0; j < least; j++) {                                                                                                \
            T *column = a + j * ld;                                                                                                      \
            int p = j;                                                                                                                   \
            R largest = size_##S(column[j]);                                                                                             \
            for (int i = j + 1; i < m; i++) {                                                                                            \
                R size = size_##S(column[i]);                                                                                            \
                if (size > largest) {                                                                                                    \
                    largest = size;                                                                                                      \
                    p = i;                                                                                                               \
                }                                                                                                                        \
            }                                                                                                                            \
            pivots[j] = p + 1;                                                                                                           \
            if (column[p] == 0) {                                                                                                        \
                if (*info == 0)                                                                                                          \
                    *info = j + 1;                                                                                                       \
            } else {                                                                                                                     \
                for (int k = 0; p != j && k < n; k++) {                                                                                  \
                    T value = a[j + k * ld];                                                                                             \
                    a[j + k * ld] = a[p + k * ld];                                                                                       \
                    a[p + k * ld] = value;                                                                                               \
                }                                                                                                                        \
                for (int i = j + 1; i < m; i++)                                                                                          \
                    column[i] /= column[j];                                                                                              \
            }                                                                                                                            \
            for (int k = j + 1; k < n; k++) {                                                                                            \
                T factor = a[j + k * ld];                                                                                                \
                for (int i = j + 1; i < m; i++)                                                                                          \
                    a[i + k * ld] -= column[i] * factor;                                                                                 \
            }                                                                                                                            \
        }                                                                                                                                \
    }                                                                                                                                    \
                                                                                                                                         \
    static void trsm_##S(char *side, char *uplo, char *trans, char *diag, int *rows, int *columns, T *alpha, T *a, int *lda, T *b,       \
                         int *ldb)                                                                                                       \
    {                                                                                                                                    \
        int m = *rows, n = *columns, transposed = *trans != 'N', conjugated = *trans == 'C', unit = *diag == 'U';                        \
        int backward = (*uplo == 'U') != transposed;                                                                                     \
        ptrdiff_t across = transposed ? 1 : *lda, down = transposed ? *lda : 1;                                                          \
        (void)side, (void)alpha;                                                                                                         \
        for (int c = 0; c < n; c++) {                                                                                                    \
            T *x = b + (ptrdiff_t)c * *ldb;                                                                                              \
            for (int step = 0; step < m; step++) {                                                                                       \
                int i = backward ? m - 1 - step : step;                                                                                  \
                T sum = x[i];                                                                                                            \
                for (int done = 0; done < step; done++) {                                                                                \
                    int k = backward ? m - 1 - done : done;                                                                              \
                    T factor = a[i * down + k * across];                                                                                 \
                    sum -= (conjugated ? conj_##S(factor) : factor) * x[k];                                                              \
                }                                                                                                                        \
                if (!unit) {                                                                                                             \
                    T pivot = a[i * (down + across)];                                                                                    \
                    sum /= conjugated ? conj_##S(pivot) : pivot;                                                                         \
                }                                                                                                                        \
                x[i] = sum;                                                                                                              \
            }                                                                                                                            \
        }                                                                                                                                \
    }

ROUTINES(f, float, float)
ROUTINES(d, double, double)
ROUTINES(c, float complex, float)
ROUTINES(z, double complex, double)

void *const rt_small_getrf[4] = {(void *)getrf_f, (void *)getrf_d, (void *)getrf_c, (void *)getrf_z};
void *const rt_small_trsm[4] = {(void *)trsm_f, (void *)trsm_d, (void *)trsm_c, (void *)trsm_z};

#define EXCHANGE(T)                                                                                                                      \
    for (T *column = matrix, *end = column + (ptrdiff_t)*m * *n; column < end; column += *m) {                                           \
        for (int i = 0; i < *exchanges; i++) {                                                                                           \
            int k = *backward ? *exchanges - 1 - i : i;                                                                                  \
            T value = column[k];                                                                                                         \
            column[k] = column[pivots[k] - 1];                                                                                           \
            column[pivots[k] - 1] = value;                                                                                               \
        }                                                                                                                                \
    }

void rt_exchange_rows(int *m, int *n, void *matrix, int *itemsize, int *pivots, int *exchanges, int *backward)
{
    typedef struct { uint64_t parts[2]; } pair;
    if (*itemsize == 4)
        EXCHANGE(uint32_t)
    else if (*itemsize == 8)
        EXCHANGE(uint64_t)
    else if (*itemsize == 16)
        EXCHANGE(pair)
}
