"""Gradients of neural networks' operators where PyTorch's operator database has no samples."""

import numpy as np
import pytest

import runtime as rt


def array(*shape, dtype=np.float64):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def gradients(module, function, arrays, double=False):
    """The nodes of the results that have one, and gradients (of gradients) by all arrays."""
    tensors = [(rt.from_numpy(a.copy()) if module is rt else module.tensor(a)).requires_grad_() for a in arrays]
    results = function(module, *tensors)
    results = [r for r in (results if isinstance(results, (tuple, list)) else (results,)) if r.requires_grad]
    seeds = [module.ones_like(r) * (i + 1.5) for i, r in enumerate(results)]
    found = module.autograd.grad(results, tensors, seeds, create_graph=double, allow_unused=True)
    if double:
        again = [(g * g).sum() for g in found if g is not None and g.requires_grad]
        found = (*found, *module.autograd.grad(again, tensors, allow_unused=True))
    return [type(r.grad_fn).__name__ for r in results], [None if g is None else g.detach().numpy() for g in found]


def assert_as_torch(function, *arrays, double=True):
    torch = pytest.importorskip("torch")
    (names, got), (wanted_names, want) = (gradients(m, function, arrays, double) for m in (rt, torch))
    assert names == wanted_names
    for a, b in zip(got, want, strict=True):
        # Zeros and nothing mean the same.
        a, b = (np.zeros(()) if x is None else x for x in (a, b))
        np.testing.assert_allclose(a, b, rtol=1e-4 if a.dtype == np.float32 else 1e-7, atol=1e-5 if a.dtype == np.float32 else 1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("offsets", [[0, 2], [0, 0, 3, 3], [0, 6, 6]])
def test_a_bag_of_embeddings_knows_its_rows_without_bookkeeping(dtype, mode, offsets):
    def bag(m, table):
        return m.ops.aten._embedding_bag(table, m.tensor([1, 2, 3, 1, 4, 2]), m.tensor(offsets), False, mode)[0]

    assert_as_torch(bag, array(6, 3, dtype=dtype), double=False)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_samples_get_gradients(dtype):
    def bag(m, table, weights):
        places = m.tensor([1, 2, 3, 1, 4, 2]), m.tensor([0, 2, 2, 6])
        return m.ops.aten._embedding_bag(table, *places, False, 0, False, weights, True)[0]

    assert_as_torch(bag, array(6, 3, dtype=dtype), array(6, dtype=dtype), double=False)


def test_gradients_of_gradients_of_embeddings_are_scaled_by_frequency():
    table = rt.zeros(4, 1, dtype=rt.float64, requires_grad=True)
    seed = rt.ones(3, 1, dtype=rt.float64, requires_grad=True)
    rows = rt.ops.aten.embedding(table, rt.tensor([1, 2, 1]), -1, True)
    (first,) = rt.autograd.grad(rows, table, seed, create_graph=True)
    assert first.flatten().tolist() == [0.0, 1.0, 1.0, 0.0]
    (second,) = rt.autograd.grad(first, seed, rt.ones_like(first))
    assert second.flatten().tolist() == [0.5, 1.0, 0.5]


@pytest.mark.oracle
def test_means_and_deviations_of_groups_have_gradients():
    def norm(m, x, weight, bias):
        return m.ops.aten.native_group_norm(x, weight, bias, 4, 6, 2, 3, 1e-5)

    assert_as_torch(norm, array(4, 6, 2), array(6), array(6) + 1)


@pytest.mark.oracle
def test_normalizations_without_weights():
    assert_as_torch(lambda m, x: m.ops.aten.native_layer_norm(x, [2], None, None, 1e-5)[0] ** 2, array(4, 6, 2))
    assert_as_torch(lambda m, x: m.ops.aten.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)[0] ** 2, array(4, 6, 2))


@pytest.mark.oracle
@pytest.mark.parametrize("training", [True, False])
def test_a_batch_norm_that_runs_twice_before_its_gradients(training):
    def twice(m, x, weight, bias):
        running = m.zeros(3, dtype=x.dtype), m.ones(3, dtype=x.dtype)
        for _ in range(2):
            x = m.batch_norm(x * x, weight, bias, *running, training, 0.1, 1e-5, False)
        return x

    assert_as_torch(twice, array(4, 3, 2), array(3), array(3) + 1, double=False)


@pytest.mark.oracle
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("align", [False, True])
def test_samples_at_the_edges_of_an_image(padding, align):
    grid = np.array([[-1.0, -1], [1, 1], [0, 0], [-1, 1], [0.5, 1], [2, 0], [-3.2, 1.7], [0.1, -5]]).reshape(1, 2, 4, 2)
    assert_as_torch(lambda m, x, g: m.ops.aten.grid_sampler_2d(x, g, 0, padding, align), array(1, 1, 3, 3), grid)


@pytest.mark.oracle
@pytest.mark.parametrize("space", [2, 3])
@pytest.mark.parametrize("align", [False, True])
def test_grids_of_affine_maps(space, align):
    size = [2, 1, 3, 4, 2][: space + 2]
    assert_as_torch(lambda m, theta: m.ops.aten.affine_grid_generator(theta, size, align), array(2, space, space + 1))


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"])
@pytest.mark.parametrize("size", [[3, 9], [7, 2]])
def test_resampling_with_a_filter(name, size):
    assert_as_torch(lambda m, x: getattr(m.ops.aten, name)(x, size, False) ** 2, array(1, 2, 5, 6))


@pytest.mark.oracle
def test_what_is_masked_altogether_has_no_gradient():
    def shares(m, x):
        return m.ops.aten._masked_softmax(x, m.tensor([[True, False, False], [True, True, True]]), 1, 2)

    assert_as_torch(shares, array(2, 3), double=False)


@pytest.mark.oracle
def test_equal_maxima_and_nan_in_pools():
    image = np.array([[[1.0, 1, np.nan], [1, 1, 0], [2, 2, 2]]])
    assert_as_torch(lambda m, x: m.ops.aten.max_pool2d_with_indices(x, [2, 2], [1, 1])[0], image)
    assert_as_torch(lambda m, x: m.ops.aten.adaptive_max_pool2d(x, [2, 2])[0], image)


@pytest.mark.oracle
def test_convolutions_of_time_by_batch_by_channel():
    assert_as_torch(lambda m, x, w, b: m.conv_tbc(x, w, b, 1), array(5, 2, 3), array(3, 3, 2), array(2))


@pytest.mark.oracle
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_alignments_of_sequences_that_have_none(zero_infinity):
    def loss(m, x):
        return m.ops.aten._ctc_loss(x, m.tensor([[1, 1], [2, 3]]), [2, 5], [2, 0], 0, zero_infinity)[0]

    logits = array(5, 2, 4)
    assert_as_torch(loss, logits - np.log(np.exp(logits).sum(-1, keepdims=True)), double=False)


@pytest.mark.oracle
@pytest.mark.parametrize("batch_first", [False, True])
def test_packed_sequences(batch_first):
    lengths = [3, 2, 2, 1] if batch_first else [4, 2, 1]
    assert_as_torch(lambda m, x: m.ops.aten._pack_padded_sequence(x, m.tensor(lengths), batch_first)[0], array(4, 3, 5), double=False)


@pytest.mark.oracle
@pytest.mark.parametrize("layer, gates", [("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)])
def test_recurrent_layers(layer, gates):
    def run(m, x, h, *weights):
        return getattr(m, layer)(x, h, list(weights), True, 1, 0.0, True, False, False)

    n = 2 * gates
    assert_as_torch(run, array(4, 3, 5), array(1, 3, 2), array(n, 5), array(n, 2), array(n), array(n) + 0.1, double=False)


def test_nothing_in_gives_gradients_of_nothing():
    def check(function, *shapes):
        _, found = gradients(rt, function, [np.zeros(s) for s in shapes])
        assert [g.shape for g in found] == list(shapes)
        assert not any(g.any() for g in found)

    check(lambda m, x: m.ops.aten.max_pool2d_with_indices(x, [2, 2])[0], (0, 2, 4, 4))
    check(lambda m, x, w, b: m.ops.aten.native_layer_norm(x, [3], w, b, 1e-5)[0], (0, 3), (3,), (3,))
    check(lambda m, x, w, b: m.ops.aten.native_group_norm(x, w, b, 0, 6, 4, 3, 1e-5)[0], (0, 6, 4), (6,), (6,))
    check(lambda m, x, w: m.convolution(x, w, None, (1,), (0,), (1,), False, (0,), 1), (0, 3, 5), (2, 3, 3))
    check(lambda m, x: m.ops.aten.embedding(x, m.empty(0, dtype=m.int64)), (4, 3))


def test_what_has_no_derivative_says_so():
    x, mean = rt.ones(2, 3, requires_grad=True), rt.zeros(2, 1, requires_grad=True)
    out = rt.ops.aten.native_layer_norm_backward(x, x, [3], mean, rt.ones(2, 1), None, None, [True, False, False])[0]
    with pytest.raises(NotImplementedError, match=r"the derivative for 'native_layer_norm_backward mean' is not implemented\."):
        out.sum().backward()
