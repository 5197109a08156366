/* Includes LEVEL_FILE for float32 and float64, once for each instruction set that the compiler can aim at.
 *
 * The file's loops are written in vectors of the compiler's. It finds: T, the element type; NAME(x), which makes names apart; VECTOR, the
 * bytes of a register; ROWS, the rows of a tile of two registers each whose sums stay in registers (tile.h); HAVE_SHUFFLE where vectors can be
 * shuffled. FOR_LEVEL(x) of the file that includes this one is an array of x's versions; `best_level` says which of them the machine runs.
 * A file that defines LONGEST_ONLY gets the versions of the longest registers alone (x86-64-v4), and none where the compiler knows no such.
 */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(x) JOIN(x, SUFFIX)

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define HAVE_LEVELS 1
#define HAVE_SHUFFLE 1
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define VECTOR 64
#define ROWS 8
#define T float
#define SUFFIX _f32_v4
#include LEVEL_FILE
#undef T
#undef SUFFIX
#define T double
#define SUFFIX _f64_v4
#include LEVEL_FILE
#undef T
#undef SUFFIX
#undef VECTOR
#undef ROWS
#pragma GCC pop_options
#ifndef LONGEST_ONLY
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define VECTOR 32
#define ROWS 4
#define T float
#define SUFFIX _f32_v3
#include LEVEL_FILE
#undef T
#undef SUFFIX
#define T double
#define SUFFIX _f64_v3
#include LEVEL_FILE
#undef T
#undef SUFFIX
#undef VECTOR
#undef ROWS
#pragma GCC pop_options
#endif
#undef HAVE_SHUFFLE
#endif
#ifndef LONGEST_ONLY
#define VECTOR 16
#define ROWS 4
#define T float
#define SUFFIX _f32
#include LEVEL_FILE
#undef T
#undef SUFFIX
#define T double
#define SUFFIX _f64
#include LEVEL_FILE
#undef T
#undef SUFFIX
#undef VECTOR
#undef ROWS

enum { LEVELS = 3 };

#ifdef HAVE_LEVELS
#define FOR_LEVEL(x) {{x##_f32, x##_f64}, {x##_f32_v3, x##_f64_v3}, {x##_f32_v4, x##_f64_v4}}
#else
#define FOR_LEVEL(x) {{x##_f32, x##_f64}, {x##_f32, x##_f64}, {x##_f32, x##_f64}}
#endif

/* The place of the best level in FOR_LEVEL's arrays; its registers have 16 << level bytes. */
static int best_level(void)
{
#ifdef HAVE_LEVELS
    return __builtin_cpu_supports("x86-64-v4") ? 2 : __builtin_cpu_supports("x86-64-v3") ? 1 : 0;
#else
    return 0;
#endif
}
#endif
