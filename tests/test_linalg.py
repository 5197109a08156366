"""Linear algebra: what the comparison with PyTorch's operator database does not cover."""

import numpy as np
import pytest

import runtime as rt
from runtime import compat


@pytest.fixture
def singular():
    return rt.ones(2, 2)


def test_singular_matrices_raise_linalgerror(singular):
    with pytest.raises(rt.linalg.LinAlgError, match="singular"):
        rt.linalg.inv(singular)
    with pytest.raises(rt.linalg.LinAlgError, match="not positive-definite"):
        rt.linalg.cholesky(singular - 3)
    assert issubclass(rt.linalg.LinAlgError, RuntimeError)
    assert compat.resolve("torch.linalg.LinAlgError") is compat.resolve("torch._C._LinAlgError") is rt.linalg.LinAlgError


def test_errors_name_the_first_matrix_of_a_batch_that_fails(singular):
    with pytest.raises(rt.linalg.LinAlgError, match=r"\(Batch element 1\)"):
        rt.linalg.inv(rt.stack([rt.eye(2), singular, singular]))


@pytest.mark.parametrize("pivots", [[0, 0], [3, 1], [-(2**31), 1]])
def test_pivots_that_are_no_rows_are_an_error(pivots):
    pivots = rt.tensor(pivots, dtype=rt.int32)
    with pytest.raises(RuntimeError, match="pivots"):
        rt.linalg.lu_solve(rt.eye(2), pivots, rt.ones(2, 1))
    with pytest.raises(RuntimeError, match="pivots"):
        rt.linalg.ldl_solve(rt.eye(2), pivots, rt.ones(2, 1))


@pytest.mark.parametrize("n", [3, 120])
@pytest.mark.parametrize("left", [True, False])
def test_solutions_of_small_and_large_systems_solve_them(n, left):
    a = rt.randn(n, n, dtype=rt.float64) + n * rt.eye(n, dtype=rt.float64)
    b = rt.randn(n, n, dtype=rt.float64)
    x = rt.linalg.solve(a, b, left=left)
    np.testing.assert_allclose((a @ x if left else x @ a).numpy(), b.numpy(), atol=1e-9)


def test_sums_without_terms_are_zero_in_every_dtype():
    for dtype in (rt.bool, rt.int8, rt.bfloat16, rt.complex64):
        assert not rt.mm(rt.ones(2, 0, dtype=dtype), rt.ones(0, 3, dtype=dtype)).any()
        assert not rt.mv(rt.ones(2, 0, dtype=dtype), rt.ones(0, dtype=dtype)).any()


def test_istft_undoes_stft():
    signal, window = rt.randn(2, 200), rt.hann_window(32)
    spectrum = signal.stft(32, window=window, return_complex=True)
    np.testing.assert_allclose(rt.istft(spectrum, 32, window=window, length=200).numpy(), signal.numpy(), atol=1e-5)


def test_the_package_imports_without_scipy():
    import subprocess
    import sys

    assert subprocess.run([sys.executable, "-c", "import runtime, sys; assert 'scipy' not in sys.modules"]).returncode == 0


def test_a_triangle_with_a_zero_on_its_diagonal_has_no_inverse():
    with pytest.raises(rt.linalg.LinAlgError, match="diagonal element 2 is zero"):
        rt.cholesky_inverse(rt.tensor([[1.0, 0.0], [2.0, 0.0]]))


def test_a_matrix_with_nan_is_not_positive_definite():
    with pytest.raises(rt.linalg.LinAlgError, match="leading minor of order 2"):
        rt.linalg.cholesky(rt.tensor([[1.0, 0.0], [2.0, float("nan")]]))


def test_nothing_of_an_infinite_matrix_is_a_number():
    matrices = rt.eye(2).repeat(2, 1, 1)
    matrices[0, 0, 1] = float("inf")
    values = rt.linalg.svdvals(matrices)
    assert values[0].isnan().all()
    assert values[1].tolist() == [1, 1]
