/* The table of loops.h. */
#include "kernels/cpu/loops.h"

#include <stddef.h>

#define ENTRY(name, signature) {#name, signature, rt_loop_##name##_f32, rt_loop_##name##_f64}

const rt_named_loop rt_named_loops[] = {
    ENTRY(resample, "xxkxiiii"),
    ENTRY(resample_transposed, "xxkxiiii"),
    ENTRY(grid_sample, "kiiiixxx"),
    ENTRY(grid_sample_gradients, "kiiiixxxxx"),
    ENTRY(pair_distances, "xxxiiii"),
    ENTRY(pair_gradients, "xxxxxiiii"),
    ENTRY(inner_distances, "xxiii"),
    ENTRY(inner_gradients, "xxxxiii"),
    ENTRY(span_sums, "xxxxxi"),
    ENTRY(span_gradients, "xxxxxxxi"),
    ENTRY(attention_weights, "xxiii"),
    ENTRY(bag_sums, "xkkxxkiii"),
    ENTRY(bag_maxima, "xkkxkkii"),
    ENTRY(alignment_losses, "xkkkiiiiixx"),
    ENTRY(alignment_gradients, "xkkkiiiiixxxxx"),
    ENTRY(search_sorted, "xxkiiii"),
    {NULL, NULL, NULL, NULL},
};
