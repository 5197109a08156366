/* Products of strided matrices of float32 and float64 in tiles.
 *
 * A few columns of b at a time (a panel) are packed and stay in the nearest cache while all rows of a block of a pass over them; tiles of the
 * result stay in registers. Threads share the blocks of the result. The loops are those of BLIS (Van Zee and van de Geijn, "BLIS: A framework
 * for rapidly instantiating BLAS functionality", 2015), but a is packed only where it is large: what libraries do first for the sake of the
 * largest matrices is a third of the time of those with a few hundred rows. Registers of 64 bytes hold tiles that are worth it; with shorter
 * ones libraries are as fast.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/blas.h"
#include "kernels/cpu/element.h"
#include "kernels/shared/threads.h"

#include <stdlib.h>

enum { DEPTH = 256, LEFT_IN_CACHE = 1 << 17, HIGH = 256, WIDE = 512, SMALLEST = 64 };

typedef struct tiled_gemm {
    rt_matrix a, b, c;
    double alpha, beta;
    int64_t high, wide, across; /* of a block; blocks next to each other */
    int packs_left;
} tiled_gemm;

#define LEVEL_FILE "kernels/cpu/tiled_gemm.h"
#define LONGEST_ONLY
#include "kernels/cpu/levels.h"

#ifdef HAVE_LEVELS
static int in_cache(const rt_matrix *x, int dtype) { return x->rows * x->cols * rt_itemsize[dtype] < 1 << 20; }

int rt_tiled_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, double alpha, double beta)
{
    if (!__builtin_cpu_supports("x86-64-v4") || !in_cache(&a, dtype) || !(in_cache(&b, dtype) || b.row_step == 1))
        return 0;
    tiled_gemm g = {a, b, c, alpha, beta, c.rows < HIGH ? c.rows : HIGH, c.cols < WIDE ? c.cols : WIDE, 1, 0};
    int threads = rt_get_num_threads();
    int64_t work = c.rows * c.cols * a.cols / 8, down = (c.rows + g.high - 1) / g.high;
    g.across = (c.cols + g.wide - 1) / g.wide;
    if (threads > 1 && work > 2 * RT_GRAIN)
        while (down * g.across < 4 * threads && (g.high > SMALLEST || g.wide > SMALLEST)) {
            int64_t *larger = g.high > g.wide ? &g.high : &g.wide;
            *larger = (*larger / 2 + SMALLEST - 1) / SMALLEST * SMALLEST;
            down = (c.rows + g.high - 1) / g.high;
            g.across = (c.cols + g.wide - 1) / g.wide;
        }
    g.packs_left = c.rows * a.cols * rt_itemsize[dtype] > LEFT_IN_CACHE && g.wide > SMALLEST;
    int64_t each = work / (down * g.across) + 1;
    rt_parallel_for(down * g.across, RT_GRAIN / each + 1, dtype == RT_FLOAT64 ? blocks_f64_v4 : blocks_f32_v4, &g);
    return 1;
}
#else
int rt_tiled_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, double alpha, double beta) { return 0; }
#endif
