"""Operators whose results are not fixed to the last bit: what is compared of them instead.

TOLERANCE widens the tolerance of values (rtol and atol; a dict of them by dtype), with the reason beside it. UNDETERMINED are compared by
type, dtype and shape only: random numbers (streams differ from PyTorch's; distributions are tested elsewhere) and memory that is not
filled. UNDETERMINED_IF says so of calls: a function of arguments and keywords. EQUIVALENT gives, for factorizations that are unique up to
signs, phases or order only, a function of our arrays, PyTorch's, the arguments and keywords that returns what is wrong, or None.
"""

import numpy as np
import torch

# Another LAPACK (OpenBLAS for MKL): results agree up to the condition of the samples' matrices.
_LAPACK = """
cholesky cholesky_inverse cholesky_solve linalg.cholesky linalg.cholesky_ex linalg.inv linalg.inv_ex linalg.solve linalg.solve_ex
linalg.solve_triangular triangular_solve linalg.lstsq linalg.lu linalg.lu_factor linalg.lu_factor_ex linalg.lu_solve lu lu_solve lu_unpack
linalg.ldl_factor linalg.ldl_factor_ex linalg.ldl_solve linalg.det linalg.slogdet logdet linalg.pinv pinverse linalg.tensorinv
linalg.tensorsolve linalg.qr qr geqrf ormqr linalg.householder_product linalg.matrix_power matrix_exp linalg.cond linalg.svdvals
linalg.eigvalsh linalg.matrix_norm linalg.norm norm linalg.multi_dot
""".split()
# Sums of products cancel: what remains has the rounding of the terms, which are summed in another order.
_PRODUCTS = "addbmm baddbmm matmul __rmatmul__ bmm mm addmm tensordot einsum fft.hfft2 fft.hfftn".split()
TOLERANCE = {
    **dict.fromkeys(_LAPACK, 1e-3),
    **dict.fromkeys(_PRODUCTS, {"float32": 3e-5, "complex64": 5e-5}),
    # PyTorch sums weights in float32.
    "histogram": 1e-5,
    # Logits are rounded to bfloat16 on both sides, from products summed in different orders.
    "nn.functional.linear_cross_entropy": {"bfloat16": 0.05},
    # Squares of nearly equal vectors cancel where distances come from a matrix product.
    "cdist": 1e-4,
    # Exponentials magnify the rounding of large scores.
    "nn.functional.scaled_dot_product_attention": {"float32": 2e-5},
    "nn.functional.multi_head_attention_forward": {"float32": 5e-5},
    # A complex convolution is three real ones there, whose differences cancel.
    "nn.functional.conv1d": {"complex64": 2e-5},
    "nn.functional.conv2d": {"complex64": 2e-5},
    "nn.functional.conv3d": {"complex64": 2e-5},
    "nn.functional.conv_transpose1d": {"complex64": 2e-5},
    "nn.functional.conv_transpose2d": {"complex64": 2e-5},
    "nn.functional.conv_transpose3d": {"complex64": 2e-5},
    # Places are rounded to bfloat16 step by step on both sides; weights and partial sums only there.
    "nn.functional.grid_sample": {"bfloat16": 0.15},
    "grid_sampler_2d": {"bfloat16": 0.15},
    "grid_sampler_3d": {"bfloat16": 0.05},
    # PyTorch's float32 loses digits near the poles of digamma; ours is computed in double.
    "polygamma": {"float32": 3e-5},
    "special.polygamma": {"float32": 3e-5},
    # PyTorch's build fuses the multiplications and additions of the recurrence.
    "special.hermite_polynomial_he": {"float32": 5e-5},
}

#: Where PyTorch rounds partial sums, weights or intermediate results to bfloat16 and ours are rounded once, at the end: a bfloat16 result that
#: is not PyTorch's must be what PyTorch computes in float32 from the same elements, rounded.
ROUNDED_ONCE = set(
    """
    _segment_reduce index_reduce log_softmax logit masked.log_softmax masked.logsumexp native_layer_norm nn.functional.adaptive_avg_pool3d
    nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.conv_transpose3d nn.functional.interpolate
    nn.functional.nll_loss nn.functional.scaled_dot_product_attention
    """.split()
)

UNDETERMINED = {
    "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "resize_", "resize_as_",
    "rand", "randn", "randn_like", "rand_like", "randint", "randint_like", "normal", "bernoulli", "multinomial", "cauchy", "exponential",
    "geometric", "log_normal", "uniform", "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d",
    "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout", "nn.functional.rrelu",
    "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d",
}  # fmt: skip

UNDETERMINED_IF = {
    # PyTorch's results of bfloat16 matrices are no exponentials.
    "matrix_exp": lambda args, kwargs: args[0].dtype == torch.bfloat16,
    "nn.functional.scaled_dot_product_attention": lambda args, kwargs: kwargs.get("dropout_p", 0) > 0,
    "nn.functional.multi_head_attention_forward": lambda args, kwargs: args[10] > 0 and kwargs.get("training", True),
}


def _close(a, b, tolerance=1e-3):
    a, b = np.asarray(a), np.asarray(b)
    scale = max(1.0, float(np.abs(b).max(initial=0)))
    return a.shape == b.shape and bool((np.abs(a - b) <= tolerance * scale).all())


def _adjoint(a):
    return np.swapaxes(np.conj(a), -1, -2)


def _singular_values(got, want, args, kwargs):
    u, s, v = got
    vh = _adjoint(v) if "some" in kwargs or kwargs.get("compute_uv") is False else v
    if not _close(s, want[1]):
        return "other singular values"
    if not u.size or not vh.size or (not u.any() and not want[0].any()):
        return None
    k = s.shape[-1]
    return None if _close(u[..., :k] * s[..., None, :] @ vh[..., :k, :], args[0]) else "U S Vh is not the argument"


def _old_singular_values(got, want, args, kwargs):
    return _singular_values((got[0], got[1], _adjoint(got[2])), want, args, {})


def _eigen_decomposition(got, want, args, kwargs):
    values, vectors = got
    if not _close(np.sort_complex(values), np.sort_complex(want[0])):
        return "other eigenvalues"
    a = np.asarray(args[0])
    if kwargs.get("UPLO", "") and not np.allclose(a, _adjoint(a)):
        half = np.tril(a, -1) if kwargs["UPLO"] == "L" else np.triu(a, 1)
        a = half + _adjoint(half) + np.real(a) * np.eye(a.shape[-1])
    return None if _close(a @ vectors, vectors * values[..., None, :]) else "A V is not V L"


def _eigenvalues(got, want, args, kwargs):
    return None if _close(np.sort_complex(got), np.sort_complex(want)) else "other eigenvalues"


def _low_rank(got, want, args, kwargs):
    """Other random numbers approximate as well."""
    (u, s, v), (u0, s0, v0) = got, want
    a = args[0] @ np.swapaxes(args[1], -1, -2)
    if kwargs.get("M") is not None:
        a = a - np.asarray(kwargs["M"])
    elif kwargs.get("center"):
        a = a - a.mean(-2, keepdims=True)
    far, allowed = np.linalg.norm(a - u * s[..., None, :] @ _adjoint(v)), np.linalg.norm(a - u0 * s0[..., None, :] @ _adjoint(v0))
    return None if _close(s, s0, 5e-2) and far <= 1.1 * allowed + 1e-4 else f"an approximation that is off by {far} instead of {allowed}"


#: Vectors are unique up to signs and phases.
def _chosen_elements(place_of_dim):
    """Values equal PyTorch's, and the indices point at them: which of equal elements is chosen is open, unless a stable sort is asked for."""

    def wrong(got, want, args, kwargs):
        dim = kwargs.get("dim", args[place_of_dim] if len(args) > place_of_dim else -1)
        source = np.atleast_1d(args[0])
        if not isinstance(got, list):  # argsort
            got, want = ([np.take_along_axis(source, np.atleast_1d(want), dim), places] for places in (got, want))
        values, indices = got
        if not np.array_equal(values, want[0], equal_nan=values.dtype.kind == "f"):
            return "other values"
        if kwargs.get("stable") and not np.array_equal(indices, want[1]):
            return "other indices of a stable sort"
        indices, values = np.atleast_1d(indices), np.atleast_1d(values)
        if indices.ndim < source.ndim:
            indices, values = np.expand_dims(indices, dim), np.expand_dims(values, dim)
        if indices.size and (np.diff(np.sort(indices, dim), axis=dim) == 0).any():
            return "an index twice"
        found = np.take_along_axis(source, indices, dim)
        return None if np.array_equal(found, values, equal_nan=values.dtype.kind == "f") else "indices of other values"

    return wrong


#: Vectors are unique up to signs and phases, places of elements up to which of equal ones is meant.
EQUIVALENT = {
    "sort": _chosen_elements(1), "argsort": _chosen_elements(1), "topk": _chosen_elements(2), "kthvalue": _chosen_elements(2),
    "mode": _chosen_elements(1),
    "linalg.svd": _singular_values, "svd": _old_singular_values, "linalg.eigh": _eigen_decomposition, "linalg.eig": _eigen_decomposition,
    "linalg.eigvals": _eigenvalues, "svd_lowrank": _low_rank, "pca_lowrank": _low_rank,
}  # fmt: skip
