/* One family of reduction loops, included once per (operation, element type) by reduce.c.
 *
 * The including file defines NAME(part), IN (element type), ACC (accumulator), LOAD(x), INIT (neutral element), COMBINE(a, b) and
 * CLONES (function attributes); where VECTOR is a vector type of IN, VECTOR_BLOCK(name, IN, VECTOR) makes the loop
 * over a block, and VECTOR_ROWS, where there is one, the loop over rows of columns. HALF is the dtype of a half type whose blocks go through
 * the loop of FAMILY(block, f32); PART is the type of a complex number's parts, which are added by themselves where ADDS_PARTS is defined. Blocks are combined pairwise, so that the error of a
 * sum grows with the logarithm of its length.
 */

#ifdef VECTOR
enum { NAME(BLOCK) = 16384 / sizeof(IN) };
VECTOR_BLOCK(NAME(block), IN, VECTOR)
#elif defined(HALF)
enum { NAME(BLOCK) = 512 };

static ACC NAME(block)(const IN *p, int64_t n)
{
    float wide[NAME(BLOCK)];
    rt_widen(HALF, p, 1, wide, n);
    return FAMILY(block, f32)(wide, n);
}
#elif defined(PART) && defined(ADDS_PARTS)
enum { NAME(LANES) = 32, NAME(BLOCK) = 512 };

CLONES static ACC NAME(block)(const IN *numbers, int64_t n)
{
    const PART *p = (const PART *)numbers;
    PART lane[2 * NAME(LANES)] = {0};
    int64_t i = 0;
    for (; i + 2 * NAME(LANES) <= 2 * n; i += 2 * NAME(LANES))
        for (int k = 0; k < 2 * NAME(LANES); k++)
            lane[k] += p[i + k];
    for (int k = 0; i + k < 2 * n; k++)
        lane[k] += p[i + k];
    for (int width = NAME(LANES); width > 1; width /= 2)
        for (int k = 0; k < width; k++)
            lane[k] += lane[k + width];
    ACC total;
    memcpy(&total, lane, sizeof total);
    return total;
}
#else
enum { NAME(LANES) = 32, NAME(BLOCK) = 512 };

CLONES static ACC NAME(block)(const IN *p, int64_t n)
{
    ACC lane[NAME(LANES)];
    int64_t i = 0;
    for (int k = 0; k < NAME(LANES); k++)
        lane[k] = INIT;
    for (; i + NAME(LANES) <= n; i += NAME(LANES))
        for (int k = 0; k < NAME(LANES); k++)
            lane[k] = COMBINE(lane[k], LOAD(p[i + k]));
    for (int k = 0; i + k < n; k++)
        lane[k] = COMBINE(lane[k], LOAD(p[i + k]));
    for (int width = NAME(LANES) / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            lane[k] = COMBINE(lane[k], lane[k + width]);
    return lane[0];
}
#endif

static ACC NAME(strided_block)(const char *p, int64_t n, int64_t step)
{
    ACC lane[8];
    int64_t i = 0;
    for (int k = 0; k < 8; k++)
        lane[k] = INIT;
    for (; i + 8 <= n; i += 8, p += 8 * step)
        for (int k = 0; k < 8; k++)
            lane[k] = COMBINE(lane[k], LOAD(*(const IN *)(p + k * step)));
    for (int k = 0; i + k < n; k++, p += step)
        lane[k] = COMBINE(lane[k], LOAD(*(const IN *)p));
    for (int width = 4; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            lane[k] = COMBINE(lane[k], lane[k + width]);
    return lane[0];
}

/* Combine n elements, `step` bytes apart, into *out. */
static void NAME(inner)(const char *p, int64_t n, int64_t step, void *out)
{
    ACC stack[56], total = INIT;
    int depth = 0;
    for (int64_t block = 0, i = 0; i < n; i += NAME(BLOCK), block++) {
        int64_t length = n - i < NAME(BLOCK) ? n - i : NAME(BLOCK);
        ACC value = step == (int64_t)sizeof(IN) ? NAME(block)((const IN *)p + i, length) : NAME(strided_block)(p + i * step, length, step);
        /* A binary counter: two results of equal weight make one of the next. */
        for (int64_t carry = block; carry & 1; carry >>= 1) {
            depth--;
            value = COMBINE(stack[depth], value);
        }
        stack[depth++] = value;
    }
    while (depth-- > 0)
        total = COMBINE(stack[depth], total);
    *(ACC *)out = COMBINE(*(ACC *)out, total);
}

#if defined(VECTOR) && defined(VECTOR_ROWS)
VECTOR_ROWS(NAME(whole_rows), IN, VECTOR)
#else
static inline int64_t NAME(whole_rows)(const char *p, int64_t rows, int64_t row_step, int64_t cols, ACC *acc)
{
    (void)p, (void)rows, (void)row_step, (void)cols, (void)acc;
    return 0;
}
#endif

#ifdef HALF
static void NAME(add_rows)(const char *p, int64_t rows, int64_t row_step, int64_t cols, ACC *acc)
{
    float wide[REDUCE_COLUMNS];
    for (int64_t r = 0; r < rows; r++) {
        rt_widen(HALF, p + r * row_step, 1, wide, cols);
        FAMILY(add_rows, f32)((const char *)wide, 1, 0, cols, acc);
    }
}
#else
CLONES static void NAME(add_rows)(const char *p, int64_t rows, int64_t row_step, int64_t cols, ACC *acc)
{
    int64_t first = NAME(whole_rows)(p, rows, row_step, cols, acc);
    for (int64_t r = 0; r < rows && first < cols; r++) {
        const IN *row = (const IN *)(p + r * row_step);
        for (int64_t c = first; c < cols; c++)
            acc[c] = COMBINE(acc[c], LOAD(row[c]));
    }
}
#endif

CLONES static void NAME(add_columns)(ACC *into, ACC *from, int64_t cols)
{
    for (int64_t c = 0; c < cols; c++) {
        into[c] = COMBINE(into[c], from[c]);
        from[c] = INIT;
    }
}

/* Combine `rows` rows of `cols` (at most REDUCE_COLUMNS) adjacent elements into acc[cols]. Sixteen partial results of one level make one
 * of the next. */
static void NAME(outer)(const char *p, int64_t rows, int64_t row_step, int64_t cols, void *out)
{
    enum { LEVELS = 4 };
    ACC level[LEVELS][REDUCE_COLUMNS], *acc = out;
    if (rows <= 16) {
        NAME(add_rows)(p, rows, row_step, cols, acc);
        return;
    }
    for (int l = 0; l < LEVELS; l++)
        for (int64_t c = 0; c < cols; c++)
            level[l][c] = INIT;
    for (int64_t r = 0, chunk = 1; r < rows; r += 16, chunk++) {
        NAME(add_rows)(p + r * row_step, rows - r < 16 ? rows - r : 16, row_step, cols, level[0]);
        NAME(add_columns)(level[1], level[0], cols);
        if ((chunk & 0xf) == 0)
            NAME(add_columns)(level[2], level[1], cols);
        if ((chunk & 0xff) == 0)
            NAME(add_columns)(level[3], level[2], cols);
        if ((chunk & 0xfff) == 0)
            NAME(add_columns)(acc, level[3], cols);
    }
    for (int l = 1; l < LEVELS; l++)
        NAME(add_columns)(l + 1 < LEVELS ? level[l + 1] : acc, level[l], cols);
}

static void NAME(init)(void *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ((ACC *)out)[i] = INIT;
}

CLONES static void NAME(merge)(void *into, const void *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ((ACC *)into)[i] = COMBINE(((ACC *)into)[i], ((const ACC *)from)[i]);
}

static const reduce_ops NAME(ops) = {NAME(inner), NAME(outer), NAME(init), NAME(merge), sizeof(ACC), ACC_KIND};

#undef IN
#undef VECTOR
#undef HALF
#undef PART
#undef ACC
#undef ACC_KIND
#undef LOAD
