"""Random programs of views, writes and arithmetic: the same steps on both sides, compared with PyTorch after each.

``python -m tests.autograd_fuzz FIRST LAST`` runs the programs of a range of seeds and prints those that differ.
"""

import random
import sys
import warnings

from tests.programs import attempt, ours, outcomes


def _views(m, rng, t):
    n = t.dim()
    d = rng.randrange(n) if n else 0
    size = t.shape[d] if n else 1
    choices = [
        lambda: t.view(-1),
        lambda: t.unsqueeze(0),
        lambda: t.squeeze(),
        lambda: t.transpose(0, n - 1) if n else t.unsqueeze(0),
        lambda: t.flatten(),
        lambda: t.reshape(-1),
        lambda: t.expand(2, *t.shape),
        lambda: t.detach(),
        lambda: t.view_as(t),
    ]
    if n and size:
        at = rng.randrange(size)
        choices += [
            lambda: t.select(d, at),
            lambda: t.narrow(d, at, size - at),
            lambda: t[at] if d == 0 else t.select(d, at),
            lambda: t[..., rng_half(t) :],
            lambda: t.split(1, d)[at],
            lambda: t.unbind(d)[at],
            lambda: t.chunk(2, d)[0],
            lambda: t.diagonal() if n > 1 else t.unsqueeze(0),
            lambda: t.as_strided((1,), (1,)),
        ]
    return rng.choice(choices)


def rng_half(t):
    return t.shape[-1] // 2


def _values(m, rng, t, u):
    number = rng.choice([2.0, -1.0, 0.5, 3])
    return rng.choice(
        [
            lambda: t + u,
            lambda: t * u,
            lambda: t - u,
            lambda: t * number,
            lambda: t + number,
            lambda: t.sin(),
            lambda: t.exp().clamp(max=20.0),
            lambda: t.sum(),
            lambda: t.clone(),
            lambda: t.tanh(),
            lambda: t.mean(),
            lambda: -t,
            lambda: t.relu(),
            lambda: t.sum(0) if t.dim() else t * 1,
            lambda: m.where(t > 0, t, u),
            lambda: t.cumsum(0) if t.dim() else t * 1,
        ]
    )


def _writes(m, rng, t, u):
    number = rng.choice([2.0, -1.0, 0.5, 3])
    n = t.dim()

    def setitem(index, value):
        t[index] = value
        return t

    return rng.choice(
        [
            lambda: t.mul_(number),
            lambda: t.add_(u),
            lambda: t.mul_(u),
            lambda: t.sub_(u, alpha=2),
            lambda: t.copy_(u),
            lambda: t.zero_(),
            lambda: t.fill_(number),
            lambda: t.sin_(),
            lambda: t.neg_(),
            lambda: t.tanh_(),
            lambda: t.masked_fill_(t > 0, number) if 0 not in t.stride() else t.add_(number),
            lambda: setitem(..., number),
            lambda: setitem(0, u) if n else t.add_(1),
            lambda: setitem(slice(0, 1), number) if n else t.add_(1),
            lambda: t.clamp_(min=-1.0),
            lambda: t.add_(number),
            lambda: t.add_(1) if t.is_leaf else t.unsqueeze_(0),
            lambda: t.relu_(),
        ]
    )


def program(seed):
    """A program of a seed, in the form that `Programs` has."""

    def run(m):
        rng = random.Random(seed)
        pool = [
            m.arange(1.0, 7.0).view(2, 3).div(4).requires_grad_(),
            m.tensor([0.5, -1.5, 2.0], requires_grad=True),
            m.linspace(-1, 1, 6).view(2, 3),
            m.tensor(1.25, requires_grad=True),
        ]
        leaves = [0, 1, 3]
        pool.append(pool[0] * 1)
        pool.append(pool[1] * 2)
        for _ in range(rng.randrange(4, 14)):
            t, u = rng.choice(pool[2:]) if rng.random() < 0.8 else rng.choice(pool), rng.choice(pool)
            kind = rng.random()
            mode = rng.random()
            make = _views if kind < 0.4 else _writes if kind < 0.75 else _values
            step = make(m, rng, t) if make is _views else make(m, rng, t, u)
            if mode < 0.08:
                with m.no_grad():
                    result = attempt(step)
            else:
                result = attempt(step)
            if not isinstance(result, str):
                if result.numel() <= 64:
                    pool.append(result)
            yield result.partition(":")[0] if isinstance(result, str) else _facts(result)
        for t in pool:
            yield _facts(t)
        roots = [t for t in pool if t.requires_grad]
        total = attempt(lambda: sum((t * (i + 1)).sum() for i, t in enumerate(roots)))
        if isinstance(total, str):
            yield total.partition(":")[0]
            return
        for result in (attempt(m.autograd.grad, total, [pool[i] for i in leaves], allow_unused=True, retain_graph=True), attempt(total.backward)):
            yield result.partition(":")[0] if isinstance(result, str) else result
        for i in leaves:
            yield pool[i].grad

    return run


def _facts(t):
    node = attempt(lambda: t.grad_fn)
    return (
        tuple(t.shape),
        t.requires_grad,
        node.partition(":")[0] if isinstance(node, str) else node is None,
        t._version,
        t._is_view(),
        t.detach().reshape(-1).tolist(),
    )


def compare(seed):
    """Both sides' outcomes of a seed."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outcomes(ours, program(seed)), outcomes(torch, program(seed))


if __name__ == "__main__":
    first, last = map(int, sys.argv[1:])
    for seed in range(first, last):
        got, want = compare(seed)
        if got != want:
            for i, (a, b) in enumerate(zip(got, want)):
                if a != b:
                    print(f"seed {seed} outcome {i}\n   ours  {a}\n   torch {b}", flush=True)
                    break
