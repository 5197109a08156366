"""Convolution, pooling, normalization and resampling: rules beyond the samples of the operator database."""

import numpy as np
import pytest

import runtime as rt
import runtime.nn.functional as F

aten = rt.ops.aten


def windows(x, w, stride=1):
    """A convolution as a sum over windows."""
    views = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncyxij,ocij->noyx", views, w)


@pytest.mark.parametrize("maps", [1, 3, 8, 9, 40])
@pytest.mark.parametrize("width", [5, 33, 70])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_convolution_sums_over_windows_at_every_edge_of_its_blocks(maps, width, stride):
    x, w = np.random.default_rng(0).normal(size=(2, 3, 6, width)), np.random.default_rng(1).normal(size=(maps, 3, 2, 3))
    np.testing.assert_allclose(F.conv2d(rt.tensor(x), rt.tensor(w), stride=stride).numpy(), windows(x, w, stride), rtol=1e-12, atol=1e-12)


def test_convolution_of_more_elements_than_a_panel_holds():
    x, w = np.random.default_rng(0).normal(size=(1, 300, 5, 5)), np.random.default_rng(1).normal(size=(9, 300, 3, 3))
    np.testing.assert_allclose(F.conv2d(rt.tensor(x), rt.tensor(w)).numpy(), windows(x, w), rtol=1e-11, atol=1e-11)


def test_convolution_of_half_types_rounds_once():
    x, w = rt.rand(1, 8, 9, 9).bfloat16(), rt.rand(4, 8, 3, 3).bfloat16()
    assert rt.equal(F.conv2d(x, w), F.conv2d(x.float(), w.float()).bfloat16())


def test_convolution_of_integers_wraps():
    x, w = rt.full((1, 1, 3, 3), 100, dtype=rt.uint8), rt.ones(1, 1, 3, 3, dtype=rt.uint8)
    assert F.conv2d(x, w).item() == 900 % 256


def test_transposed_convolution_is_the_gradient_of_the_convolution():
    x, w = rt.rand(2, 4, 7, 8), rt.rand(6, 2, 3, 2)
    place = ((2, 1), (1, 0), (1, 2), False, (0, 0), 2)
    y = aten.convolution.default(x, w, None, *place)
    grad = rt.rand_like(y)
    back = aten.convolution_backward.default(grad, x, w, None, *place, (True, True, False))
    inner = (y * grad).sum().item()
    assert (back[0] * x).sum().item() == pytest.approx(inner, rel=1e-5)
    assert (back[1] * w).sum().item() == pytest.approx(inner, rel=1e-5)
    assert back[2] is None


@pytest.mark.parametrize("change", [{"stride": 0}, {"padding": 2**62}, {"dilation": 2**62}, {"padding": -1}, {"groups": 2**40}])
def test_convolution_refuses_what_it_cannot_compute(change):
    with pytest.raises(RuntimeError):
        F.conv2d(rt.ones(1, 1, 3, 3), rt.ones(1, 1, 2, 2), **change)


def test_transposed_convolution_refuses_results_too_large():
    with pytest.raises(RuntimeError):
        F.conv_transpose2d(rt.ones(1, 1, 3, 3), rt.ones(1, 1, 2, 2), stride=2**62)


def test_convolution_on_meta_has_the_shape_of_the_result():
    assert F.conv2d(rt.empty(2, 3, 8, 8, device="meta"), rt.empty(5, 3, 3, 3, device="meta"), stride=2).shape == (2, 5, 3, 3)


def test_the_maximum_of_a_window_with_nan_is_nan():
    x = rt.tensor([[[1.0, float("nan"), 3.0, 4.0]]])
    values, indices = F.max_pool1d(x, 2, return_indices=True)
    assert np.isnan(values.numpy()[0, 0, 0]) and indices.tolist() == [[[1, 3]]]


def test_gradients_go_to_places_inside_the_plane_only():
    x = rt.zeros(1, 1, 4, 4)
    wild = rt.full((1, 1, 2, 2), 2**40, dtype=rt.int64)
    assert aten.max_pool2d_with_indices_backward.default(rt.ones(1, 1, 2, 2), x, (2, 2), (2, 2), (0, 0), (1, 1), False, wild).sum().item() == 0
    with pytest.raises(RuntimeError, match="invalid max index"):
        F.max_unpool2d(rt.ones(1, 1, 2, 2), wild, 2)


def test_windows_at_given_random_places():
    x = rt.arange(36.0).view(1, 1, 6, 6)
    values, indices = F.fractional_max_pool2d(x, 2, output_size=3, return_indices=True, _random_samples=rt.zeros(1, 1, 2))
    assert values.tolist() == [[[[7.0, 9.0, 11.0], [19.0, 21.0, 23.0], [31.0, 33.0, 35.0]]]]
    assert rt.equal(values.long(), indices)


def test_batch_norm_updates_its_running_statistics_with_the_unbiased_variance():
    x, mean, var = rt.arange(8.0).view(4, 2), rt.zeros(2), rt.ones(2)
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert mean.tolist() == [1.5, 2.0]
    np.testing.assert_allclose(var.numpy(), 0.5 + 0.5 * x.numpy().var(axis=0, ddof=1), rtol=1e-6)


def test_resampling_backward_is_the_transpose_of_forward():
    x, place = rt.rand(1, 2, 5, 4), ((7, 9), True, None, None)
    y = aten.upsample_bicubic2d.default(x, *place)
    grad = rt.rand_like(y)
    back = aten.upsample_bicubic2d_backward.default(grad, (7, 9), x.shape, *place[1:])
    assert (back * x).sum().item() == pytest.approx((y * grad).sum().item(), rel=1e-5)


def test_maxima_of_windows_between_the_elements_have_an_index():
    x = rt.arange(4.0).view(1, 1, 2, 2).requires_grad_()
    values, indices = F.max_pool2d(x, 2, 1, 1, 3, return_indices=True)
    assert values.tolist() == [[[[-float("inf")]]]] and indices.tolist() == [[[[0]]]]
    values.sum().backward()
    assert x.grad.tolist() == [[[[1.0, 0.0], [0.0, 0.0]]]]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: F.max_pool2d(rt.ones(2, 3), 2), r"max_pool2d: non-empty 3D or 4D \(batch mode\) tensor expected for input, but got: \[2, 3\]"),
        (lambda: F.max_pool2d(rt.ones(1, 0, 4, 4), 2), r"optional 0 dim batch size for input, but got:\["),
        (lambda: F.max_pool2d(rt.ones(1, 1, 2, 2), 3), r"Given input size: \(1x2x2\). Calculated output size: \(1x0x0\). Output size is too small"),
        (lambda: F.max_pool3d(rt.ones(1, 1, 2, 2, 2), 3), r"\(1x2x2x2\). Calculated output size: \(1x0x0x0\). Output size is too small"),
        (lambda: F.max_pool2d(rt.ones(1, 1, 4, 4), 2, stride=0), "stride should not be zero"),
        (lambda: F.max_pool2d(rt.ones(1, 1, 4, 4), 2, padding=2), "at most half of effective kernel size, but got pad=2, kernel_size=2"),
        (lambda: F.max_pool2d(rt.ones(1, 1, 8, 8), 3, 1, 2, 2), "pad should be smaller than or equal to half of kernel size"),
        (lambda: F.max_pool1d(rt.ones(3), 2), r"max_pool1d: Expected 2D or 3D \(batch mode\) tensor"),
        (lambda: F.layer_norm(rt.ones(2, 3), (2, 4)), r"expected input with shape \[\*, 2, 4\], but got input of size\[2, 3\]"),
        (lambda: F.layer_norm(rt.ones(2, 3, dtype=rt.float64), (3,), rt.ones(3)), "The input is Double, but weight is Float"),
        (lambda: F.layer_norm(rt.ones(2, 3), (3,), rt.ones(3, dtype=rt.float64)), "expect parameter to have scalar type of Float"),
        (lambda: F.conv2d(rt.ones(1, 1, 3, 3, dtype=rt.int64), rt.ones(1, 1, 2, 2), rt.ones(1)), r"Input type \(long int\) and bias type \(float\)"),
    ],
)  # fmt: skip
def test_errors_of_layers_say_what_pytorchs_say(call, text):
    with pytest.raises(RuntimeError, match=text):
        call()


@pytest.mark.oracle
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
def test_resampling_keeps_channels_last(mode):
    torch = pytest.importorskip("torch")
    found = []
    for module in (rt, torch):
        x = module.arange(2 * 4 * 3 * 7.0).reshape(2, 4, 3, 7).contiguous(memory_format=module.channels_last)
        results = [module.nn.functional.interpolate(x, (6, 5), mode=mode)]
        if mode in ("bilinear", "bicubic"):
            results.append(module.nn.functional.interpolate(x, (2, 5), mode=mode, antialias=True))
        found.append([(y.stride(), y.numpy()) for y in results])
    for (strides, values), (expected_strides, expected) in zip(*found, strict=True):
        assert strides == expected_strides
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.oracle
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_gradients_of_resampling_have_the_memory_format_of_pytorch(mode):
    torch = pytest.importorskip("torch")
    found = []
    for module in (rt, torch):
        x = module.ones(2, 4, 3, 7, requires_grad=True)
        upstream = module.arange(2 * 4 * 30.0).reshape(2, 4, 6, 5).contiguous(memory_format=module.channels_last)
        (grad,) = module.autograd.grad(module.nn.functional.interpolate(x, (6, 5), mode=mode), x, upstream)
        found.append((grad.stride(), grad.numpy()))
    assert found[0][0] == found[1][0]
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "call",
    [
        lambda: rt.cdist(rt.full((30, 2), 1e20), rt.full((30, 2), 1e20)),
        lambda: rt.nn.functional.grid_sample(
            rt.ones(1, 1, 2, 2), rt.full((1, 1, 1, 2), -float("inf")), padding_mode="border", align_corners=True
        ),
        lambda: rt.histogram(rt.zeros(0), bins=10, density=True),
        lambda: rt.ops.aten.upsample_bicubic2d(rt.ones(1, 1, 2, 2), [3, 3], False, 1e-30, 1e-30),
    ],
    ids=["cdist", "grid_sample", "histogram", "upsample_bicubic2d"],
)
def test_numbers_beyond_a_dtype_cause_no_warnings_of_numpy(call):
    call()
