"""Gradients of linear algebra, transforms, distances and attention: what the comparison with PyTorch's operator database does not cover."""

import numpy as np
import pytest

import runtime as rt
from runtime import TorchDispatchMode, ops

RNG = np.random.default_rng(3)


def numbers(*shape, is_complex=False):
    made = RNG.standard_normal(shape)
    return rt.from_numpy(made + 1j * RNG.standard_normal(shape) if is_complex else made)


def leaf(*shape, is_complex=False):
    return numbers(*shape, is_complex=is_complex).requires_grad_()


class Called(TorchDispatchMode):
    """The names of the operators that are called."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func).removeprefix("aten.").partition(".")[0])
        return func(*args, **(kwargs or {}))


def differences(function, x, step=1e-6):
    """The gradient of a function of one matrix with one real number as its result, by central differences."""
    made = np.zeros_like(x.numpy())
    for place in np.ndindex(made.shape):
        for unit in (1, 1j) if x.is_complex() else (1,):
            moved = np.zeros_like(made)
            moved[place] = unit * step
            up, down = (float(function(rt.from_numpy(x.numpy() + s * moved))) for s in (1, -1))
            made[place] += unit * (up - down) / (2 * step)
    return made


def check(function, x):
    x = x.detach().requires_grad_()
    (grad,) = rt.autograd.grad(function(x), x)
    np.testing.assert_allclose(grad.numpy(), differences(function, x.detach()), atol=1e-6)


def size(x):
    """A number that depends on every element and no phase."""
    weights = rt.arange(1, x.numel() + 1, dtype=rt.float64).reshape(x.shape)
    return (weights * (x * x.conj()).real if x.is_complex() else weights * x * x).sum()


# ---- products


def test_the_gradients_of_a_product_are_a_product_each():
    a, b = leaf(2, 3), leaf(3, 4)
    product = a.mm(b)
    with Called() as called:
        product.backward(rt.ones(2, 4, dtype=rt.float64))
    assert called.names.count("mm") == 2
    assert set(called.names) <= {"t", "mm", "ones", "detach"}


@pytest.mark.parametrize("beta, alpha", [(2, 3), (1 - 2j, 0.5 + 1j)])
def test_factors_of_complex_products_are_conjugated(beta, alpha):
    shapes = {"self": (2, 2), "mat1": (2, 3), "mat2": (3, 2)}
    values = {name: numbers(*shape, is_complex=True) for name, shape in shapes.items()}
    for name in shapes:
        check(lambda x: size(rt.addmm(*{**values, name: x}.values(), beta=beta, alpha=alpha)), values[name])  # noqa: B023


# ---- equations


def test_backward_solves_with_the_factors_that_forward_made():
    a, b = leaf(3, 3), leaf(3, 2)
    solution = rt.linalg.solve(a, b)
    with Called() as called:
        solution.backward(rt.ones(3, 2, dtype=rt.float64), retain_graph=True)
    assert "linalg_lu_solve" in called.names
    assert "_linalg_solve_ex" not in called.names
    with Called() as called:
        rt.autograd.grad(solution.sum(), a, create_graph=True)
    assert "_linalg_solve_ex" in called.names


def test_the_second_result_of_triangular_solve_has_a_gradient_alone():
    a = leaf(3, 3)
    copy = rt.triangular_solve(numbers(3, 1), a)[1]
    copy.backward(rt.full((3, 3), 2.0, dtype=rt.float64))
    assert a.grad.eq(2).all()


@pytest.mark.parametrize("is_complex", [False, True])
def test_determinants_of_singular_matrices_have_the_adjugate_as_gradient(is_complex):
    a = numbers(3, 3, is_complex=is_complex)
    a[2] = a[0] * 2 - a[1]
    check(lambda x: (rt.linalg.det(x) * (2 + 1j)).real if is_complex else rt.linalg.det(x) * 2, a)
    assert rt.autograd.grad(rt.linalg.det(z := rt.zeros(3, 3, requires_grad=True)), z)[0].eq(0).all()


@pytest.mark.parametrize("function", [rt.linalg.inv, rt.linalg.det, rt.linalg.svdvals, rt.linalg.eigvalsh, rt.linalg.cholesky, rt.matrix_exp])
def test_matrices_without_elements_have_empty_gradients(function):
    a = rt.zeros(0, 0, requires_grad=True)
    (grad,) = rt.autograd.grad(function(a).sum(), a)
    assert grad.shape == (0, 0)


@pytest.mark.parametrize("rows, columns", [(4, 2), (2, 4)])
def test_residuals_and_solutions_of_least_squares_add_up(rows, columns):
    b = numbers(rows, 3)

    def function(x):
        found = rt.linalg.lstsq(x, b, driver="gelsd")
        return size(found.solution) + found.residuals.sum()

    check(function, numbers(rows, columns))


# ---- factorizations


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 4)])
def test_each_factor_alone_has_a_gradient(shape, is_complex):
    a = numbers(*shape, is_complex=is_complex)
    for i in range(2):
        check(lambda x: size(rt.linalg.qr(x)[i]), a)  # noqa: B023
    for i in range(1, 3):
        check(lambda x: size(rt.linalg.lu(x)[i]), a)  # noqa: B023
    for i in range(3):
        check(lambda x: size(rt.linalg.svd(x, full_matrices=False)[i]), a)  # noqa: B023


@pytest.mark.parametrize("is_complex", [False, True])
def test_fewer_reflections_than_columns(is_complex):
    v, tau, c = (numbers(*s, is_complex=is_complex) for s in ((4, 3), (2,), (4, 2)))
    check(lambda x: size(rt.linalg.householder_product(x, tau)), v)
    check(lambda x: size(rt.linalg.householder_product(v, x)), tau)
    v = v[:, :2]
    for transpose in (False, True):
        check(lambda x: size(rt.ormqr(v, x, c, True, transpose)), tau)  # noqa: B023
        check(lambda x: size(rt.ormqr(x, tau, c, True, transpose)), v)  # noqa: B023


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda a: rt.linalg.qr(a, mode="r")[1], "depends on Q, which is not computed when mode='r'"),
        (lambda a: rt.linalg.qr(a, mode="complete")[0], "not differentiable when mode='complete' and nrows > ncols"),
        (lambda a: rt.linalg.svd(a, full_matrices=False)[0].real, "svd_backward: The singular vectors in the complex case"),
        (lambda a: rt.linalg.svd(a, full_matrices=False)[2].real, "svd_backward: The singular vectors in the complex case"),
        (lambda a: rt.linalg.eigh(a[:3])[1].real, "linalg_eigh_backward: The eigenvectors in the complex case"),
        (lambda a: rt.linalg.eig(a[:3])[1].real, "linalg_eig_backward: The eigenvectors in the complex case"),
    ],
)
def test_what_is_no_function_of_the_matrix_is_refused(function, message):
    result = function(leaf(4, 3, is_complex=True)).sum()
    with pytest.raises(RuntimeError, match=message):
        result.abs().backward()


def test_phases_that_cancel_are_allowed():
    def function(x):
        u, _, vh = rt.linalg.svd(x, full_matrices=False)
        return size(u @ vh)

    check(function, numbers(3, 2, is_complex=True))


def test_operators_without_derivative_say_so_backward():
    with pytest.raises(NotImplementedError, match="the derivative for 'geqrf' is not implemented."):
        rt.geqrf(leaf(3, 3))[0].sum().backward()
    x = leaf(3, 2)
    (grad,) = rt.autograd.grad(rt.cdist(x, numbers(4, 2), p=3).sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="the derivative for '_cdist_backward' is not implemented."):
        grad.sum().backward()


def test_vectors_are_computed_only_for_derivatives():
    a = leaf(3, 3)
    assert rt.linalg.svdvals(a).grad_fn is not None
    with rt.autograd.no_grad():
        u = ops.aten._linalg_svd(a, False, False)[0]
        assert not u.numel()
        assert rt.linalg.eigvals(a).grad_fn is None


# ---- transforms


@pytest.mark.parametrize("n", [4, 5])
@pytest.mark.parametrize("dim", [0, -1])
def test_halves_of_spectra_count_twice(n, dim):
    check(lambda x: size(rt.fft.rfft(x, dim=dim)), numbers(n, n))
    check(lambda x: size(rt.fft.irfft(x, n=n, dim=dim)), numbers(3, 3, is_complex=True))


# ---- distances


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")])
def test_points_that_agree_have_no_gradient(p):
    x = rt.ones(2, 3, dtype=rt.float64, requires_grad=True)
    rt.cdist(x, rt.ones(1, 3, dtype=rt.float64), p=p).sum().backward()
    assert x.grad.eq(0).all()
    x.grad = None
    rt.pdist(x, p).sum().backward()
    assert x.grad.eq(0).all()


@pytest.mark.oracle
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")])
def test_distances_along_axes_and_ties_agree_with_torch(p):
    torch = pytest.importorskip("torch")
    points = np.array([[0.0, 0.0, 1.0], [2.0, -2.0, 1.0], [0.0, 3.0, 1.0]])
    grads = []
    for module in (torch, rt):
        x = module.from_numpy(points.copy()).requires_grad_()
        (module.cdist(x, x.detach() + 1, p=p).sum() + module.pdist(x, p).sum()).backward()
        grads.append(x.grad.numpy())
    np.testing.assert_allclose(grads[1], grads[0], rtol=1e-12)


def test_euclidean_distances_have_gradients_twice():
    x, y = leaf(3, 2), leaf(4, 2)
    check(lambda x: size(ops.aten._euclidean_dist(x, y.detach())), x)
    (grad,) = rt.autograd.grad(size(ops.aten._euclidean_dist(x, y)), x, create_graph=True)
    assert rt.autograd.grad(size(grad), y)[0].ne(0).all()


# ---- attention and the like


@pytest.mark.parametrize("masked", ["no", "causal", "bool", "all"])
def test_fused_attention_has_the_gradients_of_its_parts(masked):
    shapes = (2, 4, 3, 5), (2, 2, 3, 5), (2, 2, 3, 5)
    values = [numbers(*s) for s in shapes]
    weights = numbers(2, 4, 3, 5)
    mask = None if masked in ("no", "causal") else rt.tensor([[True, False, True], [masked == "bool"] * 3, [True, True, False]])
    found = []
    for fused in (True, False):
        leaves = [v.detach().requires_grad_() for v in values]
        bias = None if mask is None else rt.where(mask, 0.0, -float("inf")).double()
        if fused:
            out = ops.aten._scaled_dot_product_flash_attention_for_cpu(*leaves, 0.0, masked == "causal", attn_mask=bias)[0]
        else:
            out = ops.aten._scaled_dot_product_attention_math(*leaves, bias, 0.0, masked == "causal", enable_gqa=True)[0]
        found.append(rt.autograd.grad([out], leaves, [weights]))
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), atol=1e-12)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_weight_norm_by_one_operator_and_by_several(dim):
    v = numbers(3, 4)
    g = ops.aten.norm_except_dim(v, 2, dim) * 2
    found = []
    for function in (lambda v, g: ops.aten._weight_norm_interface(v, g, dim)[0], lambda v, g: ops.aten._weight_norm(v, g, dim)):
        leaves = [v.detach().requires_grad_(), g.detach().requires_grad_()]
        first = rt.autograd.grad(size(function(*leaves)), leaves, create_graph=True)
        second = rt.autograd.grad(size(first[0]), leaves)
        found.append([*first, *second])
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), atol=1e-10)


def test_masked_softmax_leaves_masked_elements_without_gradient():
    x = leaf(2, 3)
    mask = rt.tensor([[False, True, False], [False, False, False]])
    (grad,) = rt.autograd.grad((ops.aten._masked_softmax(x, mask, 1) * numbers(2, 3)).sum(), x)
    assert grad[0, 1] == 0
    np.testing.assert_allclose(grad.sum(1).numpy(), 0, atol=1e-12)
