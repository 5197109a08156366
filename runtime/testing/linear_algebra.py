"""Matrices with known properties, for tests: of a rank, symmetric, or with distinct singular values."""

import runtime

__all__ = [
    "make_fullrank_matrices_with_distinct_singular_values", "random_square_matrix_of_rank", "random_symmetric_matrix",
    "random_symmetric_psd_matrix",
]  # fmt: skip


def random_square_matrix_of_rank(n, rank, dtype=runtime.float64, device="cpu"):
    """A square matrix of a rank; its singular values are 1 or more, or 0."""
    u, s, vh = runtime.linalg.svd(runtime.randn(n, n, dtype=dtype, device=device), full_matrices=False)
    kept = runtime.arange(n, device=device) < rank
    return (u * runtime.where(kept, s + 1, 0).to(dtype)) @ vh


def random_symmetric_matrix(n, *batches, dtype=runtime.float64, device="cpu"):
    """Symmetric matrices."""
    a = runtime.randn(*batches, n, n, dtype=dtype, device=device)
    return (a + a.mT) / 2


def random_symmetric_psd_matrix(n, *batches, dtype=runtime.float64, device="cpu"):
    """Symmetric matrices without negative eigenvalues."""
    a = runtime.randn(*batches, n, n, dtype=dtype, device=device)
    return a @ a.mT


def make_fullrank_matrices_with_distinct_singular_values(*shape, device, dtype, requires_grad=False):
    """Matrices whose singular values are 2, 3, 4 and so on, scaled."""
    u, _, vh = runtime.linalg.svd(runtime.randn(*shape, device=device, dtype=dtype), full_matrices=False)
    k = min(shape[-2:])
    values = (runtime.arange(2, k + 2, device=device).to(u.real.dtype) / k).to(dtype)
    return ((u * values) @ vh).detach().requires_grad_(requires_grad)
