"""Copies and fills that leave their argument as it is."""

from runtime._core import _hand_on, ops

aten = ops.aten


def lift_fresh_copy(self):
    return _hand_on(aten.lift_fresh_copy.default, aten.clone.default, self)


def copy(self, src, non_blocking=False):
    out = _hand_on(aten.copy.default, aten.empty_like.default, self)
    return aten.copy_.default(out, src, non_blocking)


def fill_Scalar(self, value):
    return aten.fill_.Scalar(_hand_on(aten.fill.Scalar, aten.empty_like.default, self), value)


def fill_Tensor(self, value):
    return aten.fill_.Tensor(_hand_on(aten.fill.Tensor, aten.empty_like.default, self), value)


def _foobar(self, arg1=True, arg2=True, *, arg3=True):
    return self
