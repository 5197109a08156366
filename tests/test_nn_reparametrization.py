"""Weights in other terms: `weight_norm`, `spectral_norm`, fused normalizations, skipped initial values, gradients of convolutions."""

import warnings

import pytest

import runtime as rt
from runtime.nn import grad
from runtime.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval, remove_spectral_norm, remove_weight_norm, skip_init, spectral_norm, weight_norm


@pytest.fixture(autouse=True)
def _quiet():
    rt.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@pytest.mark.parametrize("dim", [0, 1, None])
def test_a_normed_weight_gives_the_same_results_until_its_length_changes(dim):
    layer, x = rt.nn.Linear(4, 3), rt.randn(2, 4)
    expected = layer(x)
    assert weight_norm(layer, dim=dim) is layer and sorted(layer.state_dict()) == ["bias", "weight_g", "weight_v"]
    rt.testing.assert_close(layer(x), expected)
    layer(x).sum().backward()
    assert layer.weight_g.grad is not None and layer.weight_v.grad is not None
    with rt.no_grad():
        layer.weight_g.mul_(2)
    rt.testing.assert_close(layer(x) - layer.bias, 2 * (expected - layer.bias))
    with pytest.raises(RuntimeError, match="two weight_norm hooks"):
        weight_norm(layer)
    remove_weight_norm(layer)
    rt.testing.assert_close(layer(x) - layer.bias, 2 * (expected - layer.bias))
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    with pytest.raises(ValueError, match="not found"):
        remove_weight_norm(layer)


@pytest.mark.parametrize("make", [lambda: rt.nn.Linear(4, 3), lambda: rt.nn.ConvTranspose1d(4, 3, 2)])
def test_a_spectral_norm_divides_by_the_largest_singular_value(make):
    layer = spectral_norm(make(), n_power_iterations=30)
    x = rt.randn(2, 4, 4) if layer.weight_orig.dim() == 3 else rt.randn(2, 4)
    (layer(x).sum() - layer(x).mean()).backward()
    matrix = layer.weight.detach()
    matrix = matrix.transpose(0, 1).reshape(matrix.size(1), -1) if matrix.dim() == 3 else matrix
    assert rt.linalg.svdvals(matrix)[0].item() == pytest.approx(1, abs=1e-3)
    assert layer.weight_orig.grad is not None and layer.state_dict()._metadata[""]["spectral_norm"] == {"weight.version": 1}
    u = layer.weight_u.clone()
    layer.eval()(x)
    assert rt.equal(u, layer.weight_u)
    weight = layer.weight.detach()
    remove_spectral_norm(layer)
    rt.testing.assert_close(layer.weight.detach(), weight)
    assert sorted(layer.state_dict()) == ["bias", "weight"]


@pytest.mark.oracle
def test_a_spectral_norm_takes_pytorchs_steps():
    torch = pytest.importorskip("torch")
    ours, theirs = rt.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    theirs.load_state_dict({k: torch.tensor(v.tolist()) for k, v in ours.state_dict().items()})
    spectral_norm(ours, n_power_iterations=2)
    torch.nn.utils.spectral_norm(theirs, n_power_iterations=2)
    for name in "weight_u", "weight_v":
        getattr(ours, name).copy_(rt.tensor(getattr(theirs, name).tolist()))
    x = rt.randn(2, 4)
    for _ in range(2):
        assert ours(x).flatten().tolist() == pytest.approx(theirs(torch.tensor(x.tolist())).flatten().tolist(), abs=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_fused_layer_does_what_two_did(bias, affine):
    cases = [
        (rt.nn.Linear(4, 3, bias=bias), rt.nn.BatchNorm1d(3, affine=affine), rt.randn(5, 4), fuse_linear_bn_eval, ()),
        (rt.nn.Conv2d(2, 3, 2, bias=bias), rt.nn.BatchNorm2d(3, affine=affine), rt.randn(2, 2, 4, 4), fuse_conv_bn_eval, ()),
        (rt.nn.ConvTranspose2d(2, 3, 2, bias=bias), rt.nn.BatchNorm2d(3, affine=affine), rt.randn(2, 2, 4, 4), fuse_conv_bn_eval, (True,)),
    ]
    for layer, norm, x, fuse, more in cases:
        norm(layer(x))
        with pytest.raises(AssertionError, match="eval"):
            fuse(layer, norm, *more)
        layer.eval(), norm.eval()
        rt.testing.assert_close(fuse(layer, norm, *more)(x), norm(layer(x)), rtol=1e-4, atol=1e-5)


def test_a_layer_without_initial_values_leaves_the_generator_alone():
    before = rt.get_rng_state()
    layer = skip_init(rt.nn.Linear, 4, 3)
    assert rt.equal(before, rt.get_rng_state()) and layer.weight.shape == (3, 4) and layer.weight.device.type == "cpu"
    with pytest.raises(RuntimeError, match="'device'"):
        skip_init(rt.nn.Sequential)


def test_gradients_of_convolutions_are_those_of_autograd():
    x, w = rt.randn(2, 4, 5, 5, requires_grad=True), rt.randn(6, 2, 3, 3, requires_grad=True)
    out = rt.nn.functional.conv2d(x, w, stride=2, padding=1, groups=2)
    g = rt.randn(out.shape)
    dx, dw = rt.autograd.grad(out, (x, w), g)
    rt.testing.assert_close(grad.conv2d_input(x.shape, w, g, stride=2, padding=1, groups=2), dx)
    rt.testing.assert_close(grad.conv2d_weight(x, w.shape, g, stride=2, padding=1, groups=2), dw)
