/* Tensors that stand for the conjugate or the negative of what their memory holds (keys Conjugate and Negative), for kernels of operators that
 * skip these keys and read memory all the same. */
#ifndef KERNELS_LAZY_BITS_H
#define KERNELS_LAZY_BITS_H

#include "runtime/core/core.h"

#define RT_LAZY_BITS (RT_FUNCTIONALITY_BIT(RT_KEY_Conjugate) | RT_FUNCTIONALITY_BIT(RT_KEY_Negative))
#define RT_ZERO_BIT RT_FUNCTIONALITY_BIT(RT_KEY_ZeroTensor)

static inline int rt_is_conj(const RtTensor *t) { return (t->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Conjugate)) != 0; }

/* Conjugate or negate, as `bits` says, the memory of a CPU tensor in place, whatever bits it has: 0, or -1 with an exception set. */
int rt_apply_lazy_bits(RtTensor *t, rt_keyset bits);
/* The same elements without lazy bits: the tensor itself or a copy; a new reference, or NULL with an exception set. */
PyObject *rt_resolved(PyObject *tensor);

#endif
