"""Operators whose results are not fixed to the last bit: what is compared of them instead.

TOLERANCE widens the tolerance of values (rtol and atol), of all dtypes or by dtype, with the reason beside it. UNDETERMINED are compared by
type, dtype and shape only: random numbers (streams differ from PyTorch's; distributions are tested elsewhere) and memory that is not filled.
EQUIVALENT gives, for
factorizations that are unique up to signs, phases or order only, a function of our arrays, PyTorch's, the arguments and keywords that
returns what is wrong, or None.
"""

TOLERANCE = {
    # A complex convolution is three real ones there, whose differences cancel; a transposed one rounds its columns to the half type.
    "nn.functional.conv1d": {"complex64": 2e-5},
    "nn.functional.conv2d": {"complex64": 2e-5},
    "nn.functional.conv3d": {"complex64": 2e-5},
    "nn.functional.conv_transpose1d": {"complex64": 2e-5, "bfloat16": 0.08},
    "nn.functional.conv_transpose2d": {"complex64": 2e-5, "bfloat16": 0.08},
    "nn.functional.conv_transpose3d": {"complex64": 2e-5, "bfloat16": 0.3},
    "nn.functional.adaptive_avg_pool3d": {"bfloat16": 0.03},  # partial sums are rounded there
    "native_layer_norm": {"bfloat16": 2e-3},  # (x - mean) * scale of one element is no exact 0 there
    # Weights and partial sums are rounded to the half type there, and only the result is here.
    "nn.functional.interpolate": {"bfloat16": 0.05},
    "nn.functional.grid_sample": {"bfloat16": 0.15},
    "grid_sampler_2d": {"bfloat16": 0.15},
    "grid_sampler_3d": {"bfloat16": 0.05},
}

UNDETERMINED = {
    "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "resize_", "resize_as_",
    "rand", "randn", "randn_like", "rand_like", "randint", "randint_like", "normal", "bernoulli", "multinomial", "cauchy", "exponential",
    "geometric", "log_normal", "uniform", "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d",
    "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout", "nn.functional.rrelu",
    "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d",
}  # fmt: skip

EQUIVALENT = {}
