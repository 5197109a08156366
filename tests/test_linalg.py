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
    assert rt.linalg.LinAlgError.__name__ == "_LinAlgError"  # as tracebacks show it
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


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_triangular_systems_of_every_size_and_orientation_are_solved(left, upper, unit):
    rng = np.random.default_rng(0)
    for n, others in ((1, 1), (8, 3), (9, 70), (17, 1), (33, 64), (100, 130), (520, 2)):
        for dtype in (np.float32, np.float64, np.complex128):
            a = rng.standard_normal((2, n, n)).astype(dtype) / (4 * n) + 2 * np.eye(n, dtype=dtype)
            a = np.triu(a) if upper else np.tril(a)
            b = rng.standard_normal((2, n, others) if left else (2, others, n)).astype(dtype)
            x = rt.linalg.solve_triangular(rt.from_numpy(a), rt.from_numpy(b), upper=upper, left=left, unitriangular=unit).numpy()
            if unit:
                a[:, range(n), range(n)] = 1
            assert np.abs((a @ x if left else x @ a) - b).max() < 100 * np.finfo(dtype).eps


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


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 20])
def test_factors_and_solutions_of_stacks_are_those_of_their_matrices(n, dtype):
    rng = np.random.default_rng(n)
    a, b = (rng.standard_normal((7, n, n)) + (1j * rng.standard_normal((7, n, n)) if dtype.startswith("c") else 0) for _ in range(2))
    a, b = a.astype(dtype), b.astype(dtype)
    bound = 1e-3 if dtype in ("float32", "complex64") else 1e-10
    x, y = rt.from_numpy(a), rt.from_numpy(b)
    p, lower, upper = rt.linalg.lu(x)
    assert np.allclose((p @ lower @ upper).numpy(), a, atol=bound)
    lu, pivots = rt.linalg.lu_factor(x)
    for left in (True, False):
        got = rt.linalg.solve(x, y, left=left).numpy()
        assert np.allclose(a @ got if left else got @ a, b, atol=bound * 10)
        for adjoint in (True, False):
            got = rt.linalg.lu_solve(lu, pivots, y, left=left, adjoint=adjoint).numpy()
            matrix = a.conj().swapaxes(-1, -2) if adjoint else a
            assert np.allclose(matrix @ got if left else got @ matrix, b, atol=bound * 10)
    assert np.allclose(rt.linalg.det(x).numpy(), np.linalg.det(a), rtol=bound, atol=bound)


@pytest.mark.parametrize("n", [3, 12])
def test_infos_name_the_first_pivot_that_is_zero(n):
    x = rt.eye(n).repeat(3, 1, 1)
    x[1, 1, 1] = 0
    x[2, n - 1] = 0
    assert rt.linalg.inv_ex(x).info.tolist() == [0, 2, n]
    assert rt.linalg.lu_factor_ex(x).info.tolist() == [0, 2, n]


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated")
def test_results_lie_in_memory_as_those_of_pytorch():
    torch = pytest.importorskip("torch")
    tall, square, b = torch.rand(2, 5, 3), torch.rand(2, 4, 4), torch.rand(2, 4, 3)
    symmetric = square @ square.mT + torch.eye(4)
    cases = {
        "linalg.svd": (tall,), "linalg.eigh": (symmetric,), "linalg.eig": (square,), "linalg.qr": (tall,), "linalg.lu": (tall,),
        "linalg.lu_factor_ex": (tall,), "linalg.solve_ex": (square, b), "linalg.inv_ex": (square,), "linalg.cholesky_ex": (symmetric,),
        "cholesky_inverse": (symmetric,), "cholesky_solve": (b, symmetric), "linalg.ldl_factor_ex": (symmetric,), "geqrf": (tall,),
        "triangular_solve": (b, square), "linalg.matrix_exp": (square,),
    }  # fmt: skip
    for name, args in cases.items():
        mine = compat.resolve(f"torch.{name}")(*(rt.from_numpy(a.contiguous().numpy()) for a in args))
        theirs = _attribute(torch, name)(*(a.contiguous() for a in args))
        for m, t in zip(mine if isinstance(mine, tuple) else (mine,), theirs if isinstance(theirs, tuple) else (theirs,)):
            assert m.stride() == t.stride(), name


def _attribute(module, name):
    for part in name.split("."):
        module = getattr(module, part)
    return module


def test_routines_refuse_arguments_that_do_not_fit_them():
    from runtime import _core

    routine, a = _core._small_routines["getrf", "f"], np.zeros((2, 3, 3), np.float32)
    pivots, info = np.zeros((2, 3), np.int32), np.zeros(2, np.int32)
    with pytest.raises(TypeError, match="5 arguments"):
        _core._call_fortran(routine, 2, 3, 3, a, 3, pivots)
    with pytest.raises(TypeError, match="contiguous"):
        _core._call_fortran(routine, 2, 3, 3, a[:, :, ::2], 3, pivots, info)
    with pytest.raises(ValueError, match="3 parts"):
        _core._call_fortran(routine, 3, 3, 3, a, 3, pivots, info)
    with pytest.raises(ValueError):
        _core._call_fortran(object(), 2, 3)
