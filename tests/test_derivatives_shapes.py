"""Gradients of views, reductions, indexing and joining where their rules meet an edge: ties, zeros, NaN, missing gradients, in-place."""

import numpy as np
import pytest

import runtime as rt

NAN = float("nan")
INF = float("inf")
ROWS = [[1.0, 3.0, 3.0], [0.0, 2.0, 0.0], [-1.0, 4.0, -1.0]]


#: Name -> (function of a module and a tensor, the tensor).
CASES = {
    "max: equals share": (lambda m, x: x.max(), ROWS),
    "max: NaN takes it": (lambda m, x: x.max(), [1.0, NAN, 3.0]),
    "amax: equals share": (lambda m, x: x.amax(1), ROWS),
    "amin over all": (lambda m, x: x.amin(), ROWS),
    "aminmax: equals share": (lambda m, x: sum(m.aminmax(x)), ROWS),
    "aminmax: one of two": (lambda m, x: m.aminmax(x, dim=1)[1], ROWS),
    "max along a dimension: the first": (lambda m, x: x.max(1)[0], ROWS),
    "median: equals share": (lambda m, x: x.median(), [1.0, 2.0, 2.0]),
    "nanmedian of NaN": (lambda m, x: x.nanmedian(), [NAN, NAN]),
    "nansum": (lambda m, x: x.nansum(0), [[1.0, NAN], [NAN, 2.0]]),
    "prod without 0": (lambda m, x: x.prod(), [1.5, -2.0, 3.0]),
    "prod with one 0": (lambda m, x: x.prod(), [1.5, 0.0, 3.0]),
    "prod with two 0": (lambda m, x: x.prod(), [0.0, 0.0, 3.0]),
    "prod of a number": (lambda m, x: x.prod(), 0.0),
    "prod of nothing": (lambda m, x: x.prod(), []),
    "prod along a dimension": (lambda m, x: x.prod(1), ROWS),
    "cumprod with 0": (lambda m, x: x.cumprod(1), ROWS),
    "cumprod with two 0": (lambda m, x: x.cumprod(0), [2.0, 0.0, 3.0, 0.0, 5.0, 7.0]),
    "cumprod of a number": (lambda m, x: x.cumprod(0), 3.0),
    "cumsum of a number": (lambda m, x: x.cumsum(0), 3.0),
    "var of one": (lambda m, x: x.var(), [2.0]),
    "var with less than no freedom": (lambda m, x: x.var(correction=3), [2.0, 3.0]),
    "std of equals": (lambda m, x: x.std(), [2.0, 2.0]),
    "var and mean, one of two": (lambda m, x: m.var_mean(x, dim=0)[1], ROWS),
    "std and mean": (lambda m, x: sum(m.std_mean(x, dim=1)), ROWS[::2]),
    "logsumexp with -inf": (lambda m, x: x.logsumexp(0), [1.0, -INF, 2.0]),
    "logcumsumexp with 0 in the gradient": (lambda m, x: x.logcumsumexp(0) * m.tensor([1.0, 0.0, -2.0]), [1.0, 3.0, 2.0]),
    "mean of nothing": (lambda m, x: x.mean(), []),
    "sum of nothing along a dimension": (lambda m, x: x.sum(1), [[], []]),
    "unbind: parts without gradients": (lambda m, x: x.unbind(0)[1], ROWS),
    "split: parts without gradients": (lambda m, x: x.split(2)[1], ROWS),
    "split with sizes: parts without gradients": (lambda m, x: x.split([1, 2], 1)[0], ROWS),
    "as_strided that overlaps": (lambda m, x: x.as_strided((2, 2), (1, 1), 1), ROWS),
    "as_strided that expands": (lambda m, x: x.as_strided((2, 3, 2), (3, 0, 1), 1), ROWS),
    "as_strided of nothing": (lambda m, x: x.as_strided((0, 2), (1, 1)), ROWS),
    "as_strided of a view elsewhere": (lambda m, x: (x * 1)[1:, 1:].as_strided((2, 2), (3, 1), 1), ROWS),
    "as_strided of a column": (lambda m, x: (x * 1).t().as_strided((3, 2), (1, 3), 2), ROWS),
    "squeeze of what is not one": (lambda m, x: x.squeeze((0, 1)), [ROWS[0]]),
    "item by mask": (lambda m, x: x[m.tensor([True, False, True])], ROWS),
    "item by indices": (lambda m, x: x[m.tensor([0, 0, 2]), 1:], ROWS),
    "item by slices": (lambda m, x: x[1:, None, ::2, ...], ROWS),
    "take out of order": (lambda m, x: x.take(m.tensor([[3, 3], [0, -1]])), ROWS),
    "cat with an empty tensor": (lambda m, x: m.cat([m.zeros(0, dtype=m.float64), x, x[:1]]), ROWS),
    "repeat no times": (lambda m, x: x.repeat(0, 1), ROWS),
    "repeat with new dimensions": (lambda m, x: x.repeat(2, 1, 3), ROWS),
    "gather of nothing": (lambda m, x: x.gather(0, m.zeros(0, 3, dtype=m.int64)), ROWS),
    "index_add of a number": (lambda m, x: x.index_add(0, m.tensor([1]), x[:1], alpha=2), [1.0, 2.0]),
    "masked_select, broadcast": (lambda m, x: x.masked_select(m.tensor([[True], [False]])), [1.0, 2.0, 3.0]),
    "masked_scatter": (lambda m, x: x.masked_scatter(m.tensor([True, False, True]), x * 2), [1.0, 2.0, 3.0]),
    "trace of a wide matrix": (lambda m, x: x[:2].trace(), ROWS),
    "dist of equals": (lambda m, x: x.dist(x.detach()).detach() + x.dist(x.detach() + 1), [1.0, 2.0]),
    "fill in place": (lambda m, x: (x * 2).fill_(x[0]), [1.0, 2.0]),
    "zero in place": (lambda m, x: (x * 2).zero_() + x, [1.0, 2.0]),
    "copy in place, broadcast": (lambda m, x: m.zeros(2, 3, dtype=m.float64).copy_(x), [1.0, 2.0, 3.0]),
    "squeeze in place": (lambda m, x: (x * 2).squeeze_(0) * x, [[1.0, 2.0]]),
    "transpose in place": (lambda m, x: (x * 2).t_() * x, ROWS),
    "cumsum in place": (lambda m, x: (x * 2).cumsum_(0), [1.0, 2.0]),
    "index_fill in place": (lambda m, x: (x * x).index_fill_(0, m.tensor([1]), 3.0), ROWS),
    "index_fill counts an index once": (lambda m, x: (x * 0).index_fill(0, m.tensor([2, 2, 0]), x.sum()), [1.0, 2.0, 3.0]),
    "unfold of a number": (lambda m, x: x.unfold(0, 1, 1), 2.0),
    "scatter in place": (lambda m, x: (x * x).scatter_(0, m.tensor([[1, 0, 2]]), x[:1]), ROWS),
    "to another dtype": (lambda m, x: x.to(m.float32).to(m.float64) * x, ROWS),
    **{f"{p}-norm with 0": (lambda m, x, p=p: m.linalg.vector_norm(x, p, dim=1), ROWS) for p in (0, 0.5, 1, 1.5, 2, 2.5, 3, INF, -INF)},
    **{f"{p}-norm of 0": (lambda m, x, p=p: m.linalg.vector_norm(x, p), [0.0, 0.0]) for p in (0, 1, 1.5, 2, 3, INF)},
    **{f"scatter_reduce {how}, {'' if own else 'not '}with self": (
        lambda m, x, how=how, own=own: x.scatter_reduce(0, m.tensor([1, 1, 0]), x * 2 + 4, how, include_self=own), [1.0, 0.0, -2.0])
       for how in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)},
    **{f"index_reduce {how}": (
        lambda m, x, how=how: x.index_reduce(0, m.tensor([1, 1, 0]), x * 2 + 4, how), [1.0, 0.0, -2.0])
       for how in ("prod", "mean", "amax", "amin")},
}  # fmt: skip


def _gradients(m, function, values):
    x = m.tensor(values, dtype=m.float64, requires_grad=True)
    y = function(m, x)
    weight = m.arange(1, y.numel() + 1, dtype=y.dtype).reshape(y.shape)
    (first,) = m.autograd.grad((y * weight).sum(), x, create_graph=True, allow_unused=True)
    if first is None or not first.requires_grad:
        return [first]
    second = m.autograd.grad((first * m.arange(1, x.numel() + 1, dtype=x.dtype).reshape(x.shape)).sum(), x, allow_unused=True)
    # Added to zeros, a tensor of PyTorch's that is lazily zero has memory.
    return [t if t is None else m.zeros(t.shape, dtype=t.dtype) + t for t in (first, *second)]


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_gradients_at_edges_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    function, values = CASES[name]
    want = _gradients(torch, function, values)
    got = _gradients(rt, function, values)
    for g, w in zip(got, want):
        g, w = (np.zeros(np.shape(values)) if t is None else t.detach().numpy() for t in (g, w))
        np.testing.assert_allclose(g, w, atol=1e-12)


@pytest.mark.oracle
def test_what_was_assigned_to_items_has_gradients():
    torch = pytest.importorskip("torch")
    found = []
    for m in (rt, torch):
        x = m.tensor(ROWS, dtype=m.float64, requires_grad=True)
        y = m.tensor([5.0, 6.0, 7.0], dtype=m.float64, requires_grad=True)
        z = x * 2
        z[1] = y * y
        z[:, 0] = 3.0
        z[m.tensor([0, 2]), m.tensor([1, 1])] = y[:2]
        z[z > 100] = y.sum()
        (z * z).sum().backward()
        found.append([x.grad.numpy(), y.grad.numpy()])
    np.testing.assert_allclose(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1])


@pytest.mark.oracle
@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: x.view(9), lambda m, x: x.t(), lambda m, x: x[0], lambda m, x: x[1:], lambda m, x: x.squeeze(), lambda m, x: x.squeeze(0),
        lambda m, x: x.unsqueeze(0), lambda m, x: x.clone().unsqueeze_(0), lambda m, x: x.clone().squeeze_(1), lambda m, x: x.clone().t_(),
        lambda m, x: m.view_copy(x, (9,)), lambda m, x: m.squeeze_copy(x, 1), lambda m, x: x.max(0)[0], lambda m, x: x.max(), lambda m, x: x.sum(0),
        lambda m, x: x.mean(0), lambda m, x: x.sort()[0], lambda m, x: x.sort(stable=True)[0], lambda m, x: x.median(), lambda m, x: x.median(0)[0],
        lambda m, x: x.clone().fill_(1.0), lambda m, x: x.clone().fill_(x[0, 0]), lambda m, x: m.zeros(3, 3).copy_(x), lambda m, x: x.clone().zero_(),
        lambda m, x: x.masked_fill(x > 0, 1.0), lambda m, x: x.scatter(0, m.tensor([[0]]), 1.0), lambda m, x: x.clone().normal_(),
        lambda m, x: x.clone().bernoulli_(0.5), lambda m, x: m.normal(x, 1.0), lambda m, x: x.to(m.float32), lambda m, x: m.unique(x),
        lambda m, x: x.prod(0), lambda m, x: x.split(2)[0], lambda m, x: x.unbind()[0], lambda m, x: x.clone().as_strided_((2,), (1,)),
    ],
)  # fmt: skip
def test_nodes_have_pytorchs_names(call):
    torch = pytest.importorskip("torch")
    names = [type(call(m, m.ones(3, 3, dtype=m.float64, requires_grad=True)).grad_fn).__name__ for m in (rt, torch)]
    assert names[0] == names[1]


def test_operators_without_gradients_return_tensors_that_need_none():
    x = rt.ones(3, requires_grad=True)
    for made in (x.argmax(), x.any(), x.count_nonzero(), x.nonzero(), rt.ones_like(x), x.new_zeros(2), rt.isin(x, x), x.to(rt.int64), x.sort()[1],
                 rt.bucketize(x, x.detach()), x.histc(3)):  # fmt: skip
        assert not made.requires_grad


def test_sets_of_values_have_no_derivative():
    x = rt.ones(3, requires_grad=True)
    with pytest.raises(NotImplementedError, match="the derivative for '_unique2' is not implemented."):
        rt.unique(x).sum().backward()
