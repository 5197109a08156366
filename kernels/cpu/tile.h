/* A tile of a product of matrices: ROWS rows by two registers of columns, the sums of which stay in registers. Part of a LEVEL_FILE
 * (levels.h).
 */

typedef T NAME(vec) __attribute__((vector_size(VECTOR), aligned(sizeof(T))));
enum { NAME(LANES) = VECTOR / sizeof(T), NAME(WIDTH) = 2 * VECTOR / sizeof(T) };

#define EACH_ROW(_) FIRST_ROWS(_) LAST_ROWS(_)
#define FIRST_ROWS(_) _(0) _(1) _(2) _(3)
#if ROWS == 8
#define LAST_ROWS(_) _(4) _(5) _(6) _(7)
#else
#define LAST_ROWS(_)
#endif

static inline __attribute__((always_inline)) void NAME(put)(T *out, NAME(vec) sum, T alpha, T beta, const T *start)
{
    sum *= alpha;
    if (beta != 0)
        sum += beta * *(NAME(vec) *)out;
    if (start != NULL)
        sum += *start;
    *(NAME(vec) *)out = sum;
}

/* out[rows][columns] = alpha * a[rows][depth] @ panel[depth][WIDTH] + beta * out, and start[row] where start is not NULL. `height` is ROWS or
 * its half, `columns` are WIDTH or its half; rows are `height` or fewer, of which a's steps are given; rows of out are ldo elements apart. */
static inline __attribute__((always_inline)) void NAME(sums)(int height, int columns, int64_t depth, const T *a, int64_t row_step,
                                                             int64_t col_step, int64_t rows, const T *panel, T *out, int64_t ldo, T alpha,
                                                             T beta, const T *start)
{
#define DECLARE(r)                                               \
    const T *a##r = a + (r < rows ? r : rows - 1) * row_step;    \
    NAME(vec) s##r = {0}, t##r = {0};
#define ADD(r)                      \
    if (r < height)                 \
        s##r += a##r[at] * p;       \
    if (r < height && columns == NAME(WIDTH)) \
        t##r += a##r[at] * q;
#define STORE(r)                                                                                                 \
    if (r < height && r < rows) {                                                                                              \
        NAME(put)(out + r * ldo, s##r, alpha, beta, start != NULL ? start + r : NULL);                           \
        if (columns == NAME(WIDTH))                                                                              \
            NAME(put)(out + r * ldo + NAME(LANES), t##r, alpha, beta, start != NULL ? start + r : NULL);         \
    }
    EACH_ROW(DECLARE)
    for (int64_t k = 0, at = 0; k < depth; k++, at += col_step, panel += NAME(WIDTH)) {
        NAME(vec) p = *(const NAME(vec) *)panel, q = *(const NAME(vec) *)(panel + NAME(LANES));
        EACH_ROW(ADD)
    }
    EACH_ROW(STORE)
#undef DECLARE
#undef ADD
#undef STORE
}

static void NAME(tile)(int64_t depth, const T *a, int64_t row_step, int64_t col_step, int64_t rows, const T *panel, T *out, int64_t ldo,
                       T alpha, T beta, const T *start)
{
    NAME(sums)(ROWS, NAME(WIDTH), depth, a, row_step, col_step, rows, panel, out, ldo, alpha, beta, start);
}

#undef EACH_ROW
#undef FIRST_ROWS
#undef LAST_ROWS
