"""Initial values: the distributions, bounds and errors of PyTorch's, in place and without a graph."""

import numpy as np
import pytest

import runtime
from runtime.nn import init

DRAWS = """
uniform_(t, -2, 3)
normal_(t, 1, 2)
trunc_normal_(t, 0.5, 2, -1, 1)
trunc_normal_(t)
trunc_normal_(t, 0, 1, 1.5, 4)
trunc_normal_(t, 0, 1, -6, -2)
xavier_uniform_(t, 2)
xavier_normal_(t)
kaiming_uniform_(t)
kaiming_uniform_(t, a=5**0.5, mode="fan_out")
kaiming_uniform_(t, nonlinearity="tanh")
kaiming_normal_(t, nonlinearity="relu")
kaiming_normal_(t, 0.3, "fan_out")
orthogonal_(t, 3)
sparse_(t, 0.3, 2)
constant_(t, 4)
ones_(t)
zeros_(t)
eye_(t)
""".strip().split("\n")


@pytest.mark.oracle
@pytest.mark.parametrize("expression", DRAWS)
def test_values_are_distributed_as_in_pytorch(expression):
    torch = pytest.importorskip("torch")
    drawn = []
    for m in runtime, torch:
        m.manual_seed(1)
        t = m.empty(150, 200)
        result = eval(expression, {**vars(m.nn.init), "t": t})
        assert result is t
        drawn.append(np.sort(np.array(t.tolist()), axis=None))
    ours, theirs = drawn
    # The same quantiles, within what 30,000 draws show; tails spread more.
    places = np.linspace(0, len(ours) - 1, 41).astype(int)
    spread = theirs.std() + 1e-12
    np.testing.assert_allclose(ours[places[1:-1]], theirs[places[1:-1]], atol=0.06 * spread)
    np.testing.assert_allclose(ours[[0, -1]], theirs[[0, -1]], atol=0.8 * spread)


@pytest.mark.oracle
@pytest.mark.parametrize(("shape", "groups"), [((4, 3, 5), 1), ((4, 2, 3, 3), 2), ((3, 6, 2, 3, 4), 1)])
def test_dirac_passes_channels_as_in_pytorch(shape, groups):
    torch = pytest.importorskip("torch")
    results = [m.nn.init.dirac_(m.rand(shape), groups).tolist() for m in (runtime, torch)]
    assert results[0] == results[1]


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 3)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    t = init.orthogonal_(runtime.empty(shape), gain=2)
    matrix = np.array(t.reshape(shape[0], -1).tolist()) / 2
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-6)


def test_a_fraction_of_each_column_is_zero():
    t = init.sparse_(runtime.empty(10, 7), 0.25)
    assert [(column == 0).sum().item() for column in t.t()] == [3] * 7


ERRORS = """
calculate_gain("sin")
calculate_gain("leaky_relu", True)
calculate_gain("leaky_relu", "a")
eye_(torch.empty(2))
dirac_(torch.empty(2, 2))
dirac_(torch.empty(3, 2, 2), 2)
xavier_uniform_(torch.empty(2))
kaiming_normal_(torch.empty(2, 2), mode="fan")
kaiming_uniform_(torch.empty(2, 2), nonlinearity="sin")
orthogonal_(torch.empty(2))
sparse_(torch.empty(2), 0.5)
""".strip().split("\n")


@pytest.mark.oracle
@pytest.mark.parametrize("expression", ERRORS)
def test_what_cannot_be_filled_is_refused_as_in_pytorch(expression):
    torch = pytest.importorskip("torch")
    errors = []
    for m in runtime, torch:
        with pytest.raises(Exception) as caught:
            eval(expression, {**vars(m.nn.init), "torch": m})
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


@pytest.mark.oracle
def test_gains_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


def test_tensors_without_elements_or_data_stay_as_they_are():
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        assert init.kaiming_uniform_(runtime.empty(0, 3)).shape == (0, 3)
    for function in init.trunc_normal_, init.orthogonal_, lambda t: init.sparse_(t, 0.5):
        t = runtime.empty(2, 2, device="meta")
        assert function(t) is t
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        init.trunc_normal_(runtime.empty(3), 9, 1, -2, 2)


def test_older_names_say_what_the_new_ones_are():
    with pytest.warns(FutureWarning, match="`nn.init.uniform` is now deprecated in favor of `nn.init.uniform_`"):
        t = init.uniform(runtime.empty(3), 2, 3)
    assert bool((t >= 2).all())


def test_parameters_are_filled_without_a_graph():
    for function in init.uniform_, init.kaiming_normal_, init.orthogonal_, init.eye_, init.trunc_normal_, init.ones_:
        p = runtime.nn.Parameter(runtime.empty(3, 3))
        assert function(p) is p and p.is_leaf and p.requires_grad


def test_overrides_see_the_functions_that_fill():
    seen = []

    class Logged(runtime.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            seen.append(function)
            return super().__torch_function__(function, types, args, kwargs or {})

    t = runtime.Tensor._make_subclass(Logged, runtime.empty(2, 2))
    init.constant_(t, 3)
    init.kaiming_uniform_(t)
    assert seen[0] is init.constant_ and init.kaiming_uniform_ in seen
