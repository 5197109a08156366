"""Losses of classes: the target says, as an index or as probabilities, which class is right for each sample."""

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import new, opmath, read
from runtime.kernels._common import scalar_name
from runtime.kernels.losses import MEAN, NONE, SUM, only_floats, reduced

aten = ops.aten


def _sizes(tensor):
    return list(tensor.shape)


def nll_loss(self, target, weight=None, reduction=MEAN, ignore_index=-100):
    return aten.nll_loss_forward.default(self, target, weight, reduction, ignore_index)[0]


def nll_loss2d(self, target, weight=None, reduction=MEAN, ignore_index=-100):
    return aten.nll_loss2d_forward.default(self, target, weight, reduction, ignore_index)[0]


def nll_loss_nd(self, target, weight=None, reduction=MEAN, ignore_index=-100):
    dim = self.dim()
    if dim < 1:
        raise ValueError(f"Expected 1 or more dimensions (got {dim})")
    if dim != 1 and (not target.dim() or self.shape[0] != target.shape[0]):
        size = target.shape[0] if target.dim() else 0
        raise ValueError(f"Expected input batch_size ({self.shape[0]}) to match target batch_size ({size}).")
    if dim <= 2:
        return aten.nll_loss.default(self, target, weight, reduction, ignore_index)
    if dim == 4:
        return aten.nll_loss2d.default(self, target, weight, reduction, ignore_index)
    n, c, *inner = self.shape
    if list(target.shape[1:]) != inner:
        raise RuntimeError(f"Expected target size {[n, *inner]}, got {_sizes(target)}")
    flat = (1, -1) if self.numel() else (0, 0)
    flat_target = (1, -1) if target.numel() else (0, 0)
    loss = aten.nll_loss2d.default(
        aten.reshape.default(self, (n, c, *flat)), aten.reshape.default(target, (n, *flat_target)), weight, reduction, ignore_index
    )
    return loss if reduction != NONE else aten.reshape.default(loss, (n, *inner))


# ---- cross entropy


def _class_shape(count, dim, class_dim):
    return [count if d == class_dim else 1 for d in range(dim)]


def cross_entropy_loss(self, target, weight=None, reduction=MEAN, ignore_index=-100, label_smoothing=0.0):
    same = tuple(self.shape) == tuple(target.shape)
    if same and not target.dtype.is_floating_point:
        raise RuntimeError(f"Expected floating point type for target with class probabilities, got {scalar_name(target.dtype)}")
    if same and ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    class_dim = 0 if self.dim() == 1 else 1
    if self.dim() == 0:
        raise IndexError(f"Dimension specified as {class_dim} but tensor has no dimensions")
    log_p = aten.log_softmax.int(self, class_dim)
    if not same and label_smoothing == 0:
        return aten.nll_loss_nd.default(log_p, target, weight, reduction, ignore_index)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    count = self.shape[class_dim]
    if weight is not None and tuple(weight.shape) != (count,):
        raise RuntimeError(
            "cross_entropy: weight tensor should be defined either for all "
            f"{count} classes or no classes but got weight tensor of shape: {_sizes(weight)}"
        )
    if reduction not in (NONE, MEAN, SUM):
        raise RuntimeError(f"Invalid reduction type encountered in cross_entropy: {reduction}")
    weighted = log_p if weight is None else aten.mul.Tensor(log_p, aten.reshape.default(weight, _class_shape(count, self.dim(), class_dim)))
    if same:
        return _with_probabilities(weighted, target, class_dim, reduction, label_smoothing)
    nll = aten.nll_loss_nd.default(log_p, target, weight, reduction, ignore_index)
    ignored = aten.eq.Scalar(target, ignore_index)
    smooth = aten.masked_fill.Scalar(aten.neg.default(aten.sum.dim_IntList(weighted, (class_dim,))), ignored, 0.0)
    if reduction == MEAN:
        kept = aten.logical_not.default(ignored)
        total = aten.sum.default(smooth)
        if weight is None:
            smooth = aten.div.Tensor(total, aten.sum.default(kept))
        else:
            each = aten.index.Tensor(weight, (aten.masked_fill.Scalar(target, ignored, 0),))
            smooth = aten.div.Tensor(total, aten.sum.default(aten.mul.Tensor(each, kept)))
    else:
        smooth = reduced(smooth, reduction)
    share = label_smoothing / count if count else float("nan")
    return aten.add.Tensor(aten.mul.Scalar(nll, 1 - label_smoothing), aten.mul.Scalar(smooth, share))


def _with_probabilities(log_p, target, class_dim, reduction, label_smoothing):
    count = log_p.shape[class_dim]
    if label_smoothing > 0:
        target = aten.add.Scalar(aten.mul.Scalar(target, 1 - label_smoothing), label_smoothing / max(count, 1))
    product = aten.mul.Tensor(log_p, target)
    if reduction == NONE:
        return aten.neg.default(aten.sum.dim_IntList(product, (class_dim,)))
    loss = aten.neg.default(aten.sum.default(product))
    if reduction == SUM:
        return loss
    # The mean is over samples, not over their classes.
    samples = product.numel() // count if count else 0
    return aten.div.Scalar(loss, samples)


# ---- margins between classes


def _rows(self):
    """The batch size and the number of classes of a vector or matrix."""
    dim = self.dim()
    if dim > 2 or (dim == 2 and self.shape[1] == 0) or (dim == 1 and self.shape[0] == 0):
        raise RuntimeError(f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {_sizes(self)}")
    return (self.shape[0], self.shape[1]) if dim == 2 else (1, self.numel())


def _check_long(target):
    if scalar_name(target.dtype) != "Long":
        raise RuntimeError(f"expected scalar type Long but found {scalar_name(target.dtype)}")


def _only_wide_floats(kernel, self):
    only_floats(kernel, self)
    if opmath(self.dtype) != self.dtype:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(self.dtype)}'")


def _check_margin_loss(self, target, p, weight):
    n, count = _rows(self)
    if p not in (1, 2):
        raise RuntimeError("only p == 1 and p == 2 supported")
    if target.dim() > 1 or target.numel() != n:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size). "
            f"Expected target size [{n}], but got {_sizes(target)}. Input has shape {_sizes(self)}."
        )
    if weight is not None and (weight.dim() > 1 or weight.numel() != count):
        raise RuntimeError(f"inconsistent weight size, expected {count} but got {_sizes(weight)}")
    _only_wide_floats("multi_margin_loss_cpu_kernel", self)
    _check_long(target)


def _margins(self, target, margin, weight):
    """What each class lacks to be `margin` behind the right one (negative: nothing), and the rows' classes and weights."""
    n, count = _rows(self)
    x, classes = read(self).reshape(n, count), read(target).reshape(n)
    if ((classes < 0) | (classes >= count)).any():
        raise RuntimeError("target out of range")
    rows = np.arange(n)
    lacking = x.dtype.type(margin) - x[rows, classes][:, None] + x
    lacking[rows, classes] = 0
    weights = None if weight is None else read(weight).reshape(count)[classes][:, None]
    return lacking, rows, classes, weights


def multi_margin_loss(self, target, p=1, margin=1, weight=None, reduction=MEAN):
    _check_margin_loss(self, target, p, weight)
    if self.is_meta:
        return aten.new_empty.default(self, target.shape if reduction == NONE else ())
    lacking, rows, _, weights = _margins(self, target, margin, weight)
    loss = np.maximum(lacking, 0)
    if p == 2:
        loss *= loss
    if weights is not None:
        loss *= weights
    loss = loss.sum(1) / loss.dtype.type(loss.shape[1])
    if reduction == NONE:
        return new(loss.reshape(tuple(target.shape)), self.dtype)
    total = loss.sum()
    return new(np.array(total / len(rows) if reduction == MEAN and len(rows) else total), self.dtype)


def multi_margin_loss_backward(grad_output, self, target, p, margin, weight=None, reduction=MEAN):
    _check_margin_loss(self, target, p, weight)
    if self.is_meta:
        return aten.new_empty.default(self, self.shape)
    lacking, rows, classes, weights = _margins(self, target, margin, weight)
    slope = (lacking > 0).astype(lacking.dtype) if p == 1 else 2 * np.maximum(lacking, 0)
    if weights is not None:
        slope *= weights
    slope /= slope.shape[1] * (max(len(rows), 1) if reduction == MEAN else 1)
    slope[rows, classes] = -slope.sum(1)
    gradient = read(grad_output)
    slope *= gradient.reshape(-1, 1) if reduction == NONE else gradient.reshape(())
    return new(slope.reshape(tuple(self.shape)), self.dtype)


def _check_label_sets(self, target):
    _rows(self)
    if tuple(target.shape) != tuple(self.shape):
        raise RuntimeError(f"inconsistent target size: {_sizes(target)} for input of size: {_sizes(self)}")
    _check_long(target)


def _label_sets(self, target):
    """Which classes each row names before its first -1, and the classes in the order named."""
    n, count = _rows(self)
    classes = read(target).reshape(n, count)
    if ((classes < -1) | (classes >= count)).any():
        raise RuntimeError("argument #2 'target' is out of range")
    named = np.logical_and.accumulate(classes >= 0, axis=1)
    member = np.zeros((n, count), bool)
    rows, places = np.nonzero(named)
    member[rows, classes[rows, places]] = True
    return classes, named, member


def multilabel_margin_loss_forward(self, target, reduction):
    _check_label_sets(self, target)
    _only_wide_floats("multilabel_margin_loss_forward_out_frame", self)
    if self.is_meta:
        return aten.new_empty.default(self, self.shape[:-1] if reduction == NONE else ()), aten.new_empty.default(self, self.shape)
    classes, named, member = _label_sets(self, target)
    x = read(self).reshape(classes.shape)
    loss = np.zeros(len(x), x.dtype)
    for place in range(int(named.sum(1).max(initial=0))):
        right = np.take_along_axis(x, np.maximum(classes[:, place : place + 1], 0), 1)
        lacking = np.where(member, 0, np.maximum(1 - right + x, 0)).sum(1)
        loss += np.where(named[:, place], lacking, 0)
    loss /= x.shape[1]
    if reduction == NONE:
        result = loss.reshape(tuple(self.shape)[:-1])
    else:
        result = np.array(loss.sum() / len(x) if reduction == MEAN and len(x) else loss.sum())
    return new(result, self.dtype), new(member.astype(x.dtype).reshape(tuple(self.shape)), self.dtype)


def multilabel_margin_loss_backward(grad_output, self, target, reduction, is_target):
    _check_label_sets(self, target)
    _only_wide_floats("multilabel_margin_loss_backward_out_frame", self)
    if tuple(is_target.shape) != tuple(self.shape):
        raise RuntimeError(f"inconsistent is_target size: {_sizes(is_target)}")
    if self.is_meta:
        return aten.new_empty.default(self, self.shape)
    classes, named, member = _label_sets(self, target)
    x = read(self).reshape(classes.shape)
    result = np.zeros(x.shape, x.dtype)
    rows = np.arange(len(x))
    step = x.dtype.type(1 / (x.shape[1] * (max(len(x), 1) if reduction == MEAN else 1)))
    for place in range(int(named.sum(1).max(initial=0))):
        at = np.maximum(classes[:, place], 0)
        close = ~member & (1 - x[rows, at][:, None] + x > 0) & named[:, place : place + 1]
        result += close * step
        result[rows, at] -= close.sum(1) * step
    gradient = read(grad_output)
    result *= gradient.reshape(-1, 1) if reduction == NONE else gradient.reshape(())
    return new(result.reshape(tuple(self.shape)), self.dtype)


def multilabel_margin_loss(self, target, reduction=MEAN):
    return aten.multilabel_margin_loss_forward.default(self, target, reduction)[0]
