"""Modes of one's own: one counts operators, one computes products in double precision; the inner one is asked first."""

from collections import Counter

import runtime
from runtime.pytree import tree_map_only

aten = runtime.ops.aten


class CountCalls(runtime.TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls[func.name()] += 1
        return func(*args, **(kwargs or {}))


class DoubleProducts(runtime.TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is not aten.mm.default:
            return func(*args, **(kwargs or {}))
        return func(*tree_map_only(runtime.Tensor, lambda t: t.double(), args)).float()


x = runtime.full((64, 64), 0.1)
with CountCalls() as outer, DoubleProducts():
    y = x @ x
print(y.dtype, dict(outer.calls))
