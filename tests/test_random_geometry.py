"""Kernels that walk memory by themselves, beside PyTorch: values and gradients over random shapes, strides, dtypes and options."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runtime

few = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
dtypes = st.sampled_from(["float32", "float64"])
sizes = st.integers(1, 9)
TOLERANCE = {"float32": {"rtol": 2e-4, "atol": 2e-4}, "float64": {"rtol": 1e-9, "atol": 1e-9}}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def laid_out(world, array, dtype, layout):
    """A tensor that is contiguous, transposed in memory, or every second element of a larger one."""
    t = world.tensor(array.astype(dtype))
    if layout == "transposed":
        t = t.permute(*reversed(range(t.ndim))).contiguous().permute(*reversed(range(t.ndim)))
    elif layout == "strided":
        wide = world.zeros(*t.shape, 2, dtype=t.dtype)
        wide[..., 1] = t
        t = wide[..., 1]
    return t


layouts = st.sampled_from(["contiguous", "transposed", "strided"])


def agree(function, arrays, dtype="float32", layout="contiguous", others=()):
    """Assert that function(world, *tensors) and its gradients agree; errors must be of the same type."""
    torch = pytest.importorskip("torch")
    both = []
    for world in (torch, runtime):
        tensors = [laid_out(world, a, dtype, layout).requires_grad_() for a in arrays]
        try:
            result = function(world, *tensors, *(world.tensor(a) for a in others))
        except (RuntimeError, ValueError, IndexError) as error:
            both.append(type(error))
            continue
        weights = world.tensor(np.cos(np.arange(result.numel())).reshape(tuple(result.shape)).astype(dtype))
        grads = world.autograd.grad((result * weights).sum(), tensors)
        both.append([t.detach().numpy() for t in (result, *grads)])
    theirs, ours = both
    if isinstance(theirs, type) or isinstance(ours, type):
        assert ours is theirs
        return
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, **TOLERANCE[dtype])


@pytest.mark.oracle
@few
@given(
    dtypes, layouts, st.integers(1, 3), st.integers(1, 3), st.lists(sizes, min_size=2, max_size=3), sizes,
    st.sampled_from(["bilinear", "nearest", "bicubic"]), st.sampled_from(["zeros", "border", "reflection"]), st.booleans(),
)  # fmt: skip
def test_samples_of_grids(dtype, layout, batch, channels, space, places, mode, padding, align):
    if len(space) == 3 and mode == "bicubic":
        mode = "bilinear"
    grid = numbers(batch, *[places] * (len(space) - 1), 11, len(space), seed=1)
    arrays = numbers(batch, channels, *space), grid
    agree(lambda w, x, g: w.nn.functional.grid_sample(x, g, mode, padding, align), arrays, dtype, layout)


def test_a_sample_of_a_grid_that_is_nan_is_nan_without_padding_and_the_first_element_beside_a_border():
    x, grid = runtime.ones(1, 1, 3, 3), runtime.full((1, 1, 1, 2), float("nan"))
    assert runtime.nn.functional.grid_sample(x, grid, align_corners=True).isnan().all()
    assert runtime.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=True).item() == 1


@pytest.mark.oracle
@few
@given(
    dtypes, layouts, st.lists(st.tuples(sizes, sizes), min_size=1, max_size=3),
    st.sampled_from(["nearest", "nearest-exact", "linear", "area"]), st.booleans(),
)  # fmt: skip
def test_resampled_images(dtype, layout, space, mode, align):
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(space)] if mode == "linear" else mode
    options = {"align_corners": align} if mode.endswith("linear") else {}
    array = numbers(2, 3, *(n for n, _ in space))
    agree(lambda w, x: w.nn.functional.interpolate(x, [n for _, n in space], mode=mode, **options), [array], dtype, layout)


@pytest.mark.oracle
@few
@given(dtypes, layouts, st.lists(st.tuples(st.integers(2, 6), st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=3),
       st.sampled_from(["reflect", "replicate"]))  # fmt: skip
def test_borders(dtype, layout, space, mode):
    pads = [n for _, before, after in reversed(space) for n in (before, after)]
    agree(lambda w, x: w.nn.functional.pad(x, pads, mode=mode), [numbers(2, 2, *(n for n, _, _ in space))], dtype, layout)


@st.composite
def convolutions(draw):
    space, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
    ins, outs = (groups * draw(st.sampled_from([1, 1, 2, 5])) for _ in range(2))
    options = {
        name: [draw(st.sampled_from(values)) for _ in range(space)]
        for name, values in (("stride", (1, 1, 2, 3)), ("padding", (0, 1, 2, 3)), ("dilation", (1, 1, 2)))
    }
    kernel = [draw(st.integers(1, 3)) for _ in range(space)]
    return numbers(2, ins, *(draw(st.integers(6, 9)) for _ in range(space))), numbers(outs, ins // groups, *kernel, seed=1), options, groups


@pytest.mark.oracle
@few
@given(dtypes, layouts, convolutions())
def test_gradients_of_convolutions(dtype, layout, convolution):
    image, weight, options, groups = convolution
    name = f"conv{image.ndim - 2}d"
    agree(lambda w, x, k: getattr(w.nn.functional, name)(x, k, groups=groups, **options), (image, weight), dtype, layout)


@pytest.mark.oracle
@few
@given(dtypes, layouts, st.integers(1, 4), st.integers(1, 3), st.lists(sizes, max_size=2), st.booleans(), st.booleans())
def test_gradients_of_normalizations(dtype, layout, batch, pairs, space, training, weighted):
    channels = 2 * pairs
    arrays = numbers(batch, channels, *space), *([numbers(channels, seed=1), numbers(channels, seed=2)] if weighted else [])
    statistics = numbers(channels, seed=3).astype(dtype), np.abs(numbers(channels, seed=4).astype(dtype)) + 1

    def of_batch(w, x, *rest):
        return w.nn.functional.batch_norm(x, *(w.tensor(a) for a in statistics), *rest, training=training)

    def of_groups(w, x, *rest):
        return w.nn.functional.group_norm(x, 2, *rest)

    agree(of_batch, arrays, dtype, layout)
    agree(of_groups, arrays, dtype, layout)


@pytest.mark.oracle
@few
@given(dtypes, layouts, st.integers(1, 3), sizes, sizes, st.booleans(), st.booleans())
def test_attention(dtype, layout, heads, length, width, causal, masked):
    mask = () if causal or not masked else [np.arange(length * length).reshape(length, length) % 3 > 0]

    def attend(w, q, k, v, *mask):
        return w.nn.functional.scaled_dot_product_attention(q, k, v, *mask, is_causal=causal)

    agree(attend, [numbers(2, heads, length, width, seed=s) for s in range(3)], dtype, layout, mask)


@pytest.mark.oracle
@few
@given(dtypes, layouts, st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, np.inf]), st.lists(st.integers(1, 3), max_size=2), sizes, sizes, st.integers(1, 40))
def test_distances(dtype, layout, p, batch, rows, others, width):
    a, b = numbers(*batch, rows, width), numbers(others, width, seed=1)
    mode = "donot_use_mm_for_euclid_dist"
    agree(lambda w, x, y: w.cdist(x, y, p, compute_mode=mode), (a, b), dtype, layout)
    agree(lambda w, x: w.nn.functional.pdist(x, p), [numbers(rows, width)], dtype, layout)


@pytest.mark.oracle
@few
@given(
    dtypes, layouts, st.sampled_from(["sum", "mean", "max"]), st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(1, 20),
    st.sampled_from([None, 1]),
)  # fmt: skip
def test_bags_of_rows(dtype, layout, mode, lengths, width, padding):
    bounds = np.cumsum([0, *lengths])
    indices = np.random.default_rng(0).integers(0, 4, bounds[-1])

    def bag(w, table):
        return w.nn.functional.embedding_bag(w.tensor(indices), table, w.tensor(bounds[:-1]), mode=mode, padding_idx=padding)

    agree(bag, [numbers(4, width)], dtype, layout)


@pytest.mark.oracle
@few
@given(dtypes, st.lists(st.tuples(st.integers(1, 8), st.integers(0, 4)), min_size=1, max_size=4), st.booleans())
def test_alignments(dtype, sequences, zero):
    steps, longest = (max(s[i] for s in sequences) for i in range(2))
    targets = np.random.default_rng(0).integers(1, 3, (len(sequences), max(longest, 1)))

    def loss(w, x):
        lengths = (w.tensor([s[i] for s in sequences]) for i in range(2))
        return w.nn.functional.ctc_loss(x.log_softmax(-1), w.tensor(targets), *lengths, reduction="none", zero_infinity=zero)

    finite = zero or all(n >= 2 * m for n, m in sequences)
    if finite:
        agree(loss, [numbers(steps, len(sequences), 4)], dtype)


@pytest.mark.oracle
@few
@given(
    layouts, st.sampled_from(["float32", "float64", "bfloat16", "int8", "bool", "complex64"]),
    st.sampled_from([(3, 5, 7), (1, 5, 7), (5, 1), (7,), (3, 1, 1)]),
)  # fmt: skip
def test_filling_under_masks(layout, dtype, shape):
    torch = pytest.importorskip("torch")
    mask = numbers(*shape) > 0
    results = []
    for world in (torch, runtime):
        x = laid_out(world, numbers(3, 5, 7, seed=1), "float32", layout).to(getattr(world, dtype))
        results.append(x.masked_fill_(world.tensor(mask), True).to(world.complex64).numpy())
    np.testing.assert_array_equal(*results)


@pytest.mark.oracle
@few
@given(
    layouts, st.sampled_from(["float32", "bfloat16", "int16", "bool", "complex128"]),
    st.sampled_from([(0,), (1,), (2,), (0, 1), (0, 2), (0, 1, 2)]), st.integers(0, 30),
)  # fmt: skip
def test_sums_at_indices(layout, dtype, dims, count):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    at = {d: rng.integers(0, (3, 4, 5)[d], count) for d in dims}
    results = []
    for world in (torch, runtime):
        x = laid_out(world, np.round(4 * numbers(3, 4, 5)), "float32", layout).to(getattr(world, dtype))
        indices = tuple(world.tensor(at[d]) if d in at else slice(None) for d in range(3))
        values = laid_out(world, np.round(4 * numbers(*x[indices].shape, seed=1)), "float32", layout).to(x.dtype)
        given = [world.tensor(at[d]) if d in at else None for d in range(3)]
        results.append(world.ops.aten.index_put(x, given, values, True).to(world.complex128).numpy())
    np.testing.assert_array_equal(*results)


@pytest.mark.oracle
@few
@given(dtypes, layouts)
def test_clamping_between_tensors(dtype, layout):
    agree(lambda w, x, low, high: w.clamp(x, low, high), [numbers(40, seed=s) for s in range(3)], dtype, layout)


@pytest.mark.parametrize("name", ["i0", "i0e", "i1", "i1e"])
def test_modified_bessel_functions_of_floats_are_right_to_three_units(name):
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([np.linspace(-91, 91, 4001), [0, 8, -8, 1e-30, 1e30]]).astype(np.float32)
    expected = getattr(special, name)(x.astype(np.float64))
    fits = np.abs(expected) < 3e38
    np.testing.assert_allclose(getattr(runtime.special, name)(runtime.tensor(x[fits])).numpy(), expected[fits], rtol=4e-7)


def test_angles_of_complex_floats_in_every_octant_and_at_the_edges():
    edges = np.array([0.0, -0.0, 1, -1, np.inf, -np.inf, 1e-40, 3e38], np.float32)
    z = np.empty((8, 8), np.complex64)
    z.real, z.imag = edges[:, None], edges
    around = np.exp(1j * np.linspace(-3.2, 3.2, 999)).astype(np.complex64)
    for points in (z, around):
        np.testing.assert_allclose(runtime.angle(runtime.tensor(points)).numpy(), np.angle(points.astype(np.complex128)), rtol=4e-7, atol=1e-38)


def test_trigamma_by_its_recurrence_and_reflection():
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([np.linspace(0.01, 60, 999), np.linspace(-7.93, -0.06, 99), [1e8, 1e300]])
    ours = runtime.polygamma(1, runtime.tensor(x)).numpy()
    np.testing.assert_allclose(ours[x > 0], special.polygamma(1, x[x > 0]), rtol=1e-13)
    negative = x[x < 0]
    sine = np.sin(np.pi * negative)
    np.testing.assert_allclose(ours[x < 0], (np.pi / sine) ** 2 - special.polygamma(1, 1 - negative), rtol=1e-10)


def test_a_loop_refuses_arrays_that_are_not_what_its_signature_says():
    from runtime._core import _run_loop

    x, numbers_ = np.zeros((4, 4), np.float32), (2, 2, 4, 1)
    for arrays in ((x.T[:2], x, x), (x.astype(np.float64), x, x), ([1.0], x, x)):
        with pytest.raises(TypeError, match="argument 0 of the loop pair_distances"):
            _run_loop("pair_distances", x.dtype, 2, 1, *arrays, *numbers_)
    with pytest.raises(TypeError, match="there is no loop"):
        _run_loop("pair_distances", x.dtype, 2, 1, x)
    with pytest.raises(TypeError, match="there is no loop"):
        _run_loop("nothing", x.dtype, 2, 1)
