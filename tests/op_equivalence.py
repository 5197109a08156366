"""Operators whose results are not fixed to the last bit: what is compared of them instead.

TOLERANCE widens the tolerance of values (rtol and atol; a dict of them by dtype), with the reason beside it. UNDETERMINED are compared by
type, dtype and shape only: random numbers (streams differ from PyTorch's; distributions are tested elsewhere) and memory that is not
filled. UNDETERMINED_IF says so of calls: a function of arguments and keywords. EQUIVALENT gives, for factorizations that are unique up to
signs, phases or order only, a function of our arrays, PyTorch's, the arguments and keywords that returns what is wrong, or None.
"""

TOLERANCE = {
    # Sums are rounded once; PyTorch's loop rounds every partial sum to bfloat16.
    "nn.functional.nll_loss": {"bfloat16": 0.05},
    # Logits are rounded to bfloat16 on both sides, from products summed in different orders.
    "nn.functional.linear_cross_entropy": {"bfloat16": 0.05},
    # Squares of nearly equal vectors cancel where distances come from a matrix product.
    "cdist": 1e-4,
    # Exponentials magnify the rounding of large scores.
    "nn.functional.scaled_dot_product_attention": {"float32": 2e-5},
    "nn.functional.multi_head_attention_forward": {"float32": 5e-5},
}

UNDETERMINED = {
    "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "resize_", "resize_as_",
    "rand", "randn", "randn_like", "rand_like", "randint", "randint_like", "normal", "bernoulli", "multinomial", "cauchy", "exponential",
    "geometric", "log_normal", "uniform", "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d",
    "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout", "nn.functional.rrelu",
}  # fmt: skip

UNDETERMINED_IF = {
    "nn.functional.scaled_dot_product_attention": lambda args, kwargs: kwargs.get("dropout_p", 0) > 0,
    "nn.functional.multi_head_attention_forward": lambda args, kwargs: args[10] > 0 and kwargs.get("training", True),
}

EQUIVALENT = {}
