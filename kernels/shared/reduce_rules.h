/* Shape-and-dtype rules of reductions, shared by all backends. */
#ifndef KERNELS_REDUCE_RULES_H
#define KERNELS_REDUCE_RULES_H

#include "kernels/shared/boxed.h"
#include "kernels/shared/structured.h"

typedef struct reduce_dims {
    uint64_t mask; /* dimensions that are reduced */
    int keepdim;
} reduce_dims;

/* Read the `dim` argument (int, tuple or None; None and an empty tuple mean all where empty_is_all) and keepdim after it. */
int rt_reduce_dims(rt_call_frame *c, int empty_is_all, reduce_dims *dims);
/* Sizes of the reduction's result into a spec. */
void rt_reduced_sizes(const RtTensor *self, const reduce_dims *dims, rt_out_spec *spec);
/* A reduction without a neutral element over dimensions of size 0: -1 with IndexError, where some kept output exists. */
int rt_check_not_empty(const RtTensor *self, uint64_t mask, const char *name);
int rt_check_mean_dtype(const RtTensor *self, PyObject *dtype);
/* The tensor in a dtype (itself, or a copy through aten::_to_copy): a new reference. */
RtTensor *rt_cast(RtTensor *t, int dtype);

int rt_rule_sum(rt_call_frame *c);
int rt_rule_mean(rt_call_frame *c);
int rt_rule_prod(rt_call_frame *c);
int rt_rule_amax(rt_call_frame *c);
int rt_rule_amin(rt_call_frame *c);
int rt_rule_any(rt_call_frame *c);
int rt_rule_all(rt_call_frame *c);

#endif
