"""Copies and fills that leave their argument as it is."""

from runtime._core import ops

aten = ops.aten


def lift_fresh_copy(self):
    return aten.clone.default(self)


def copy(self, src, non_blocking=False):
    out = aten.empty_like.default(self)
    return aten.copy_.default(out, src, non_blocking)


def fill_Scalar(self, value):
    return aten.fill_.Scalar(aten.empty_like.default(self), value)


def fill_Tensor(self, value):
    return aten.fill_.Tensor(aten.empty_like.default(self), value)


def _foobar(self, arg1=True, arg2=True, *, arg3=True):
    return self
