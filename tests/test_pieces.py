"""Expressions that are computed in pieces give what they give at once: values, dtypes, geometry, errors, gradients."""

import math

import pytest

import runtime as rt
import runtime.nn.functional as F
from runtime.kernels import _pieces, histograms, losses, searching

ATEN = rt.ops.aten


pytestmark = pytest.mark.filterwarnings("ignore:reduction")  # of kl_div


@pytest.fixture
def in_pieces(monkeypatch):
    """A function that runs a call with pieces of few elements."""

    def run(call):
        with monkeypatch.context() as m:
            for module in (_pieces, histograms, losses, searching):
                m.setattr(module, "PIECE", 5)
            m.setattr(_pieces, "_ROW", 3)
            return call()

    return run


def _same(got, want):
    got, want = ((t,) if isinstance(t, rt.Tensor) else tuple(t) for t in (got, want))
    for g, w in zip(got, want, strict=True):
        assert (g.dtype, g.shape, g.stride()) == (w.dtype, w.shape, w.stride())
        tolerance = {"rtol": 1e-2, "atol": 1e-2} if w.dtype in (rt.float16, rt.bfloat16) else {"rtol": 1e-5, "atol": 1e-6}
        assert rt.allclose(g, w, equal_nan=True, **tolerance)


def _tensors(layout, dtype):
    rt.manual_seed(0)
    for _ in range(2):
        x = (rt.rand(6, 7) * 0.9 + 0.05).to(dtype)
        yield {"rows": x, "columns": x.t(), "steps": x[:, ::2], "expanded": x[:, None].expand(6, 4, 7), "cube": x.reshape(3, 2, 7)}[layout]


LOSSES = {
    name: getattr(F, name)
    for name in """mse_loss l1_loss smooth_l1_loss huber_loss soft_margin_loss kl_div poisson_nll_loss hinge_embedding_loss
        binary_cross_entropy binary_cross_entropy_with_logits""".split()
}
LOSSES |= {
    "weighted binary_cross_entropy": lambda x, y, reduction: F.binary_cross_entropy(x, y, y, reduction=reduction),
    "margin_ranking_loss": lambda x, y, reduction: F.margin_ranking_loss(x, y, x, reduction=reduction),
    "a broadcast mse_loss": lambda x, y, reduction: ATEN.mse_loss(x, y[..., :1], ("none", "mean", "sum").index(reduction)),
}
LAYOUTS = ("rows", "columns", "steps", "expanded", "cube")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [rt.float32, rt.bfloat16, rt.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_in_pieces_are_the_same(name, dtype, layout, in_pieces):
    x, y = _tensors(layout, dtype)
    for reduction in ("none", "mean", "sum"):
        _same(in_pieces(lambda r=reduction: LOSSES[name](x, y, reduction=r)), LOSSES[name](x, y, reduction=reduction))


REDUCTIONS = {
    "logsumexp": lambda x, dim, keepdim: rt.logsumexp(x, dim, keepdim),
    "nanmean": lambda x, dim, keepdim: rt.nanmean(rt.view_as_real(x) if x.is_complex() else x, dim, keepdim),
    "count_nonzero": lambda x, dim, keepdim: rt.count_nonzero(x - x.flatten()[0], dim),
}
REDUCTIONS |= {
    f"norm of order {p}": lambda x, dim, keepdim, p=p: rt.linalg.vector_norm(x, p, dim, keepdim)
    for p in (0, 1, 2, 3, 0.5, -1, math.inf, -math.inf)
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [rt.float32, rt.float16, rt.complex64])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_in_pieces_are_the_same(name, dtype, layout, in_pieces):
    x, y = _tensors(layout, rt.float32 if dtype.is_complex else dtype)
    x = rt.complex(x, y) if dtype.is_complex else x
    for dim in (0, -1, (0, 1), tuple(range(x.dim()))):
        for keepdim in (False, True):
            _same(in_pieces(lambda d=dim, k=keepdim: REDUCTIONS[name](x, d, k)), REDUCTIONS[name](x, dim, keepdim))


def test_logsumexp_in_pieces_keeps_infinities_and_nans(in_pieces):
    x = rt.rand(6, 7)
    x[1], x[2], x[3, 3], x[4, 2] = -math.inf, math.inf, math.nan, -math.inf
    for dim in (0, 1, (0, 1)):
        _same(in_pieces(lambda d=dim: rt.logsumexp(x, d)), rt.logsumexp(x, dim))
    _same(in_pieces(lambda: rt.logsumexp((x > 0.5).long(), 0)), rt.logsumexp((x > 0.5).long(), 0))


DISTANCES = {
    "dist": rt.dist,
    "pairwise_distance": rt.pairwise_distance,
    "cosine_similarity": lambda x, y, p: rt.cosine_similarity(x, y, 0 if p else 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", DISTANCES)
def test_distances_in_pieces_are_the_same(name, layout, in_pieces):
    for dtype in (rt.float32, rt.bfloat16):
        x, y = _tensors(layout, dtype)
        for p in (0, 1, 2, 3, math.inf, -math.inf):
            for other in (y, y[:1], y[..., :1]):
                _same(in_pieces(lambda x=x, other=other, p=p: DISTANCES[name](x, other, p)), DISTANCES[name](x, other, p))


def test_quantiles_of_what_nobody_watches_are_the_same(in_pieces):
    x = rt.rand(6, 7)
    x[2, 3] = math.nan
    q = rt.tensor([0.0, 0.3, 1.0])
    for dim in (None, 0, 1):
        for name in ("quantile", "nanquantile"):
            _same(in_pieces(lambda name=name, dim=dim: getattr(rt, name)(x, q, dim)), getattr(rt, name)(x, q, dim))


RANKS = {
    "median": rt.median,
    "nanmedian": rt.nanmedian,
    "mode": rt.mode,
    "kthvalue": lambda x, dim, keepdim: rt.kthvalue(x, 2, dim, keepdim),
}


@pytest.mark.parametrize("name", RANKS)
def test_elements_of_a_rank_are_found_in_pieces(name, in_pieces):
    x = (rt.rand(6, 7, 4) * 5).floor()
    x[1, 2:4, 1] = math.nan
    for dim in (0, 1, -1):
        for keepdim in (False, True):
            _same(in_pieces(lambda d=dim, k=keepdim: RANKS[name](x, d, k)), RANKS[name](x, dim, keepdim))


def test_histograms_in_pieces_are_the_same(in_pieces):
    x, weight = rt.rand(6, 7), rt.rand(6, 7)
    for given in ({}, {"weight": weight}, {"density": True}, {"range": (0.2, 0.7)}):
        _same(in_pieces(lambda given=given: rt.histogram(x, 4, **given)), rt.histogram(x, 4, **given))


@pytest.mark.parametrize("dtype", [rt.float32, rt.float64, rt.float16, rt.int64, rt.int32, rt.uint8])
def test_searches_in_pieces_are_the_same(dtype, in_pieces):
    sequence = rt.sort((rt.rand(6, 9) * 20).to(dtype), 1)[0]
    values = (rt.rand(6, 7) * 20).to(dtype)
    for right in (False, True):
        for out_int32 in (False, True):
            options = {"right": right, "out_int32": out_int32}
            below = sequence[:, :, None] <= values[:, None] if right else sequence[:, :, None] < values[:, None]
            got = in_pieces(lambda o=options: rt.searchsorted(sequence, values, **o))
            assert rt.equal(got, below.sum(1).to(rt.int32 if out_int32 else rt.int64))
            _same(in_pieces(lambda o=options: rt.bucketize(values, sequence[0], **o)), rt.searchsorted(sequence[0], values, **options))


def test_a_nan_stands_after_everything_in_a_search():
    nan = math.nan
    assert rt.searchsorted(rt.tensor([1.0, 2.0, nan]), rt.tensor([0.5, nan])).tolist() == [0, 3]
    assert rt.searchsorted(rt.tensor([[1.0, 2.0], [3.0, 4.0]]), rt.tensor([[1.5, nan], [9.0, 3.0]])).tolist() == [[1, 2], [2, 0]]


@pytest.mark.parametrize("count", [0, 1, 8, 9, 40])
@pytest.mark.parametrize("invert", [False, True])
def test_members_are_found_in_pieces(count, invert, in_pieces):
    floats = [(rt.rand(6, 7) * 20).floor() / 4 for _ in range(2)]
    floats[0][1, 1] = floats[1][0, 0] = floats[1][3, 0] = math.nan
    wide = [(t.nan_to_num() * 2.0**50).long() for t in floats]
    for x, y in (floats, wide, [t.nan_to_num().to(rt.int8) for t in floats], [floats[0], wide[1]]):
        y = y.reshape(-1)[:count]
        _same(in_pieces(lambda x=x, y=y: rt.isin(x, y, invert=invert)), rt.isin(x, y, invert=invert))
        _same(in_pieces(lambda x=x, y=y: rt.isin(y, x, invert=invert)), rt.isin(y, x, invert=invert))


def test_outputs_take_pieces_of_any_geometry_and_dtype(in_pieces):
    x, y = _tensors("rows", rt.float32)
    want = F.huber_loss(x, y, reduction="none")
    for o in (rt.empty(6, 7), rt.empty(7, 6).t(), rt.empty(6, 7, dtype=rt.float64)):
        assert in_pieces(lambda o=o: ATEN.huber_loss.out(x, y, 0, 1.0, out=o)) is o
        assert rt.allclose(o.float(), want)
    assert rt.allclose(in_pieces(lambda: ATEN.huber_loss.out(x, y, 0, 1.0, out=x)), want)


def test_gradients_go_through_losses_that_would_be_computed_in_pieces(in_pieces):
    for name in ("l1_loss", "kl_div", "huber_loss"):
        grads = []
        for run in (in_pieces, lambda call: call()):
            x, y = _tensors("rows", rt.float32)
            x.requires_grad_()
            run(lambda x=x, y=y, name=name: LOSSES[name](x, y, reduction="mean").backward())
            grads.append(x.grad)
        assert rt.allclose(*grads)


def test_tangents_go_through_losses_that_would_be_computed_in_pieces(in_pieces):
    x, y = _tensors("rows", rt.float32)

    def tangent():
        with rt.autograd.forward_ad.dual_level():
            dual = rt.autograd.forward_ad.make_dual(x, rt.ones_like(x))
            return rt.autograd.forward_ad.unpack_dual(F.l1_loss(dual, y)).tangent

    assert rt.allclose(in_pieces(tangent), tangent())


def test_errors_of_what_would_be_computed_in_pieces_are_the_same(in_pieces):
    whole = rt.ones(6, 7, dtype=rt.int64)
    calls = [
        lambda: F.l1_loss(whole, whole),
        lambda: F.mse_loss(whole, whole),
        lambda: rt.dist(whole, whole),
        lambda: rt.logsumexp(whole.float(), (0, 0)),
        lambda: rt.count_nonzero(whole, 2),
        lambda: F.kl_div(whole.float(), rt.ones(5)),
        lambda: F.binary_cross_entropy(whole + 0.5, whole.float()),
    ]
    for call in calls:
        with pytest.raises((RuntimeError, IndexError)) as at_once:
            call()
        with pytest.raises(type(at_once.value)) as piece_by_piece:
            in_pieces(call)
        assert str(piece_by_piece.value) == str(at_once.value)
