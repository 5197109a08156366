/* The walk of everything that writes at indices: for each element of an index, the element of the source at the same place goes to the
 * element of the output whose coordinate along the dimension is the index.
 *
 * A vector of indices is an index expanded with strides 0, a number a source with strides 0. Threads share a dimension other than the
 * indexed one: each place is written by one of them, in the index's order, so that sums are the same in every run.
 */
#ifndef KERNELS_CPU_SCATTER_H
#define KERNELS_CPU_SCATTER_H

#include "kernels/shared/boxed.h"

/* One line of the walk: n elements from `from` to `to` + index * reach. Steps and reach in bytes; the index's step in elements. */
typedef void (*rt_line_fn)(char *to, int64_t to_step, int64_t reach, const int64_t *index, int64_t index_step, const char *from,
                           int64_t from_step, int64_t n);

enum rt_reduction { RT_REDUCE_NONE, RT_REDUCE_SUM, RT_REDUCE_PROD, RT_REDUCE_MEAN, RT_REDUCE_AMAX, RT_REDUCE_AMIN };

/* The walk's geometry: sizes of the index, and strides (the index's in elements, others in bytes). A 0-d tensor is one of one dimension. */
typedef struct rt_walk_places {
    int ndim, dim;
    int64_t sizes[RT_MAX_DIM], to[RT_MAX_DIM], index[RT_MAX_DIM], from[RT_MAX_DIM];
    int64_t reach, numel;
} rt_walk_places;

#define RT_INDEX_OUT_OF_BOUNDS "index %lld is out of bounds for dimension %lld with size %lld"

/* The line that writes elements of a size. */
rt_line_fn rt_line_writing(int itemsize);

/* The line that reduces elements of a dtype, or NULL with an exception set. */
rt_line_fn rt_line_reducing(enum rt_reduction how, int dtype, const char *name);

void rt_walk(const rt_walk_places *p, char *to, const int64_t *index, const char *from, rt_line_fn line);

/* `source` may be NULL: its strides are 0 then. */
void rt_set_walk_strides(rt_walk_places *p, const RtTensor *out, const RtTensor *source);

/* Whether n indices are in [0, size). */
int rt_all_within(const int64_t *values, int64_t n, int64_t size);

/* The index as int64, contiguous, its values within `size`: a new reference, or NULL with an exception set, whose text is a format of the
 * index, `dim` and `size`. Negative values count from the end where `wraps`. */
RtTensor *rt_checked_index(RtTensor *index, int64_t dim, int64_t size, PyObject *error, const char *format, int wraps);

/* Reduce into an output that holds self's elements. `source` of the output's dtype, or NULL for the packed `number`. */
int rt_reduce_by_walk(rt_walk_places *p, RtTensor *out, const int64_t *index, RtTensor *source, const char *number,
                      enum rt_reduction how, int include_self, const char *name);

/* Copy elements of one dtype and shape. */
void rt_copy_all(RtTensor *to, const RtTensor *from);

#endif
