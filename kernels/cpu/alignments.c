/* The recursions of connectionist temporal classification (runtime/kernels/ctc.py says what the states are), a sequence at a time.
 *
 * A state is entered from itself, from the state before it, and, where the labels differ, over the blank between them. The backward pass runs
 * the same recursion from the end and adds up, for each label, what passes through the states that have it.
 */
#include "kernels/cpu/element.h"
#include "kernels/cpu/loops.h"

/* What both loops begin with: log-probabilities [steps, batch, labels], the label of each state [batch, states], lengths of the inputs and
 * numbers of states that are used [batch], steps, batch, labels, states, blank. */
#define READ_ARGUMENTS(T)                                                                           \
    const rt_loop_arg *given = ctx;                                                                 \
    const int64_t *labels_of = (const int64_t *)given[1].memory, *lengths = (const int64_t *)given[2].memory; \
    const int64_t *used = (const int64_t *)given[3].memory;                                         \
    int64_t steps = given[4].number, batch = given[5].number, labels = given[6].number, states = given[7].number, blank = given[8].number

#define LOOPS(NAME, T, EXP, LOG)                                                                    \
    static T log_sum_##NAME(T a, T b, T c)                                                          \
    {                                                                                               \
        T top = a > b ? a : b;                                                                      \
        top = c > top ? c : top;                                                                    \
        if (top == -(T)INFINITY)                                                                    \
            return a + b + c; /* minus infinity, or NaN */                                          \
        return LOG(EXP(a - top) + EXP(b - top) + EXP(c - top)) + top;                               \
    }                                                                                               \
    /* ..., losses [batch], alphas [batch, steps, states]: over the batch. */                       \
    void rt_loop_alignment_losses_##NAME(int64_t begin, int64_t end, void *ctx)                     \
    {                                                                                               \
        READ_ARGUMENTS(T);                                                                          \
        const T none = -(T)INFINITY;                                                                \
        for (int64_t n = begin; n < end; n++) {                                                     \
            const int64_t *label = labels_of + n * states;                                          \
            T *alpha = (T *)given[10].memory + n * steps * states, *loss = (T *)given[9].memory + n; \
            for (int64_t t = 0; t < steps; t++, alpha += states) {                                  \
                const T *p = (const T *)given[0].memory + (t * batch + n) * labels, *before = alpha - states; \
                for (int64_t s = 0; s < states; s++) {                                              \
                    if (s >= used[n]) {                                                             \
                        alpha[s] = none;                                                            \
                    } else if (t == 0) {                                                            \
                        alpha[s] = s < 2 ? p[label[s]] : none;                                      \
                    } else {                                                                        \
                        int skips = s > 1 && label[s] != blank && label[s] != label[s - 2];         \
                        alpha[s] = log_sum_##NAME(before[s], s > 0 ? before[s - 1] : none, skips ? before[s - 2] : none) + p[label[s]]; \
                    }                                                                               \
                }                                                                                   \
            }                                                                                       \
            *loss = used[n] == 1 ? 0 : (T)INFINITY;                                                 \
            if (lengths[n] > 0) {                                                                   \
                const T *last = (const T *)given[10].memory + (n * steps + lengths[n] - 1) * states + used[n] - 1; \
                *loss = -log_sum_##NAME(last[0], used[n] > 1 ? last[-1] : none, none);              \
            }                                                                                       \
        }                                                                                           \
    }                                                                                               \
    /* ..., alphas, losses, the gradients of the losses [batch], room [batch, 2 * states + labels], out (zeros, like the \
     * log-probabilities): over the batch. */                                                       \
    void rt_loop_alignment_gradients_##NAME(int64_t begin, int64_t end, void *ctx)                  \
    {                                                                                               \
        READ_ARGUMENTS(T);                                                                          \
        const T none = -(T)INFINITY;                                                                \
        for (int64_t n = begin; n < end; n++) {                                                     \
            const int64_t *label = labels_of + n * states;                                          \
            T *beta = (T *)given[12].memory + n * (2 * states + labels), *after = beta + states, *sums = after + states; \
            T loss = ((const T *)given[10].memory)[n], grad = ((const T *)given[11].memory)[n];     \
            for (int64_t t = lengths[n] - 1; t >= 0; t--) {                                         \
                const T *p = (const T *)given[0].memory + (t * batch + n) * labels;                 \
                const T *alpha = (const T *)given[9].memory + (n * steps + t) * states;             \
                T *out = (T *)given[13].memory + (t * batch + n) * labels, *swap = after;           \
                after = beta;                                                                       \
                beta = swap;                                                                        \
                for (int64_t s = 0; s < used[n]; s++) {                                             \
                    if (t == lengths[n] - 1) {                                                      \
                        beta[s] = s + 2 >= used[n] ? p[label[s]] : none;                            \
                    } else {                                                                        \
                        int skips = s + 2 < used[n] && label[s + 2] != blank && label[s] != label[s + 2]; \
                        beta[s] = log_sum_##NAME(after[s], s + 1 < used[n] ? after[s + 1] : none, skips ? after[s + 2] : none) + p[label[s]]; \
                    }                                                                               \
                }                                                                                   \
                T top = none;                                                                       \
                for (int64_t s = 0; s < used[n]; s++)                                               \
                    top = alpha[s] + beta[s] > top ? alpha[s] + beta[s] : top;                      \
                top = top == none ? 0 : top;                                                        \
                for (int64_t k = 0; k < labels; k++)                                                \
                    sums[k] = 0;                                                                    \
                for (int64_t s = 0; s < used[n]; s++)                                               \
                    sums[label[s]] += EXP(alpha[s] + beta[s] - top);                                \
                for (int64_t k = 0; k < labels; k++)                                                \
                    out[k] = (EXP(p[k]) - EXP(LOG(sums[k]) + top + loss - p[k])) * grad;            \
            }                                                                                       \
        }                                                                                           \
    }
LOOPS(f32, float, expf, logf)
LOOPS(f64, double, exp, log)
