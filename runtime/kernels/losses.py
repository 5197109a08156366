"""Losses of elements: each is a pointwise expression of input and target, then the reduction that the `reduction` code asks for.

They are composites: autograd and Meta tensors go through the operators they are made of.
"""

import math

from runtime._core import _broadcast_exceeds, ops
from runtime.kernels._common import into, scalar_name
from runtime.kernels._pieces import PIECE, elements, large_shape, summed, unwatched_large_shape

aten = ops.aten

NONE, MEAN, SUM = range(3)


def reduced(loss, reduction):
    """The loss after its reduction: 1 means the mean, 2 the sum, anything else none."""
    if reduction == MEAN:
        return aten.mean.default(loss)
    return aten.sum.default(loss) if reduction == SUM else loss


# Operands that broadcast to few elements go past these: kernels compute their expressions at once.


def _loss(name, expression, reduction, tensors, *rest):
    """An expression of tensors (or None) and the rest after its reduction, without large temporaries, in the kernel of an operator."""
    shape = large_shape(*tensors)
    if shape is not None and reduction in (MEAN, SUM):
        return summed(lambda *given: expression(*given, *rest), shape, tensors, mean=reduction == MEAN)
    return reduced(elements(getattr(aten, name).default, lambda *given: expression(*given, *rest), shape, *tensors), reduction)


def _composite_loss(expression, reduction, tensors, *rest):
    """An expression of tensors and the rest after its reduction, in a composite: without large temporaries where nobody looks into it."""
    shape = unwatched_large_shape(*tensors) if reduction in (MEAN, SUM) else None
    if shape is None:
        return reduced(expression(*tensors, *rest), reduction)
    return summed(lambda *given: expression(*given, *rest), shape, tensors, mean=reduction == MEAN)


def _gradient(name, expression, tensors, *rest):
    """An expression of tensors (or None) and the rest, in the kernel of an operator."""
    return elements(getattr(aten, name).default, lambda *given: expression(*given, *rest), large_shape(*tensors), *tensors)


def only_floats(kernel, *tensors):
    """Refuse dtypes that the kernel has no loop for, as PyTorch names them: the common dtype must be floating point."""
    if any(t.dtype.is_complex for t in tensors) or not any(t.dtype.is_floating_point for t in tensors):
        dtype = next((t.dtype for t in tensors if t.dtype.is_complex), tensors[0].dtype)
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(dtype)}'")


def _no_bool_or_complex(kernel, tensor):
    if tensor.dtype.is_complex or scalar_name(tensor.dtype) == "Bool":
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(tensor.dtype)}'")


def _zero_unless(condition, tensor):
    return aten.where.ScalarOther(condition, tensor, 0)


def _mean_factor(tensor, reduction):
    return 1.0 / max(tensor.numel(), 1) if reduction == MEAN else 1.0


# ---- distances of input and target


def l1_loss(self, target, reduction=MEAN):
    if not _broadcast_exceeds(PIECE, self, target):
        return reduced(_absolute_difference(self, target), reduction)
    return _composite_loss(_absolute_difference, reduction, (self, target))


def _absolute_difference(x, t):
    return aten.abs.default(aten.sub.Tensor(x, t))


def mse_loss(self, target, reduction=MEAN):
    only_floats("mse_cpu", self, target)
    if reduction not in (MEAN, SUM):
        return _squared_difference(self, target)
    if not _broadcast_exceeds(PIECE, self, target):
        return reduced(_squared_difference(self, target), reduction)
    return _loss("mse_loss", _squared_difference, reduction, (self, target))


def _squared_difference(self, target):
    difference = aten.sub.Tensor(self, target)
    return aten.mul_.Tensor(difference, difference)


def mse_loss_out(self, target, reduction=MEAN, *, out):
    if reduction != NONE:
        return into(out, mse_loss(self, target, reduction))
    only_floats("mse_cpu", self, target)
    aten.sub.out(self, target, out=out)
    return aten.mul_.Tensor(out, out)


def mse_loss_backward(grad_output, self, target, reduction):
    _no_bool_or_complex("mse_backward_cpu_out", self)
    if not _broadcast_exceeds(PIECE, grad_output, self, target):
        return _mse_slope(grad_output, self, target, 2 * _mean_factor(self, reduction))
    return _gradient("mse_loss_backward", _mse_slope, (grad_output, self, target), 2 * _mean_factor(self, reduction))


def _mse_slope(g, x, t, factor):
    return in_dtype_of(x, aten.mul.Tensor(aten.mul.Scalar(aten.sub.Tensor(x, t), factor), g))


def in_dtype_of(self, result):
    return result if result.dtype == self.dtype else aten.to.dtype(result, self.dtype)


def smooth_l1_loss(self, target, reduction=MEAN, beta=1.0):
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return aten.l1_loss.default(self, target, reduction)
    only_floats("smooth_l1_cpu", self, target)
    if not _broadcast_exceeds(PIECE, self, target):
        return reduced(_smooth_distance(self, target, beta), reduction)
    return _loss("smooth_l1_loss", _smooth_distance, reduction, (self, target), beta)


def _smooth_distance(x, t, beta):
    z, near = _distance(x, t, beta)
    return aten.mul_.Tensor(z, aten.div_.Tensor(near, beta))


def _distance(self, target, limit):
    """How far target is, less half of the part within a limit, and that part: their product is half a square up to the limit, a line beyond."""
    z = aten.abs_.default(aten.sub.Tensor(self, target))
    near = aten.clamp_max.default(z, limit)
    return aten.sub_.Tensor(z, near, alpha=0.5), near


def smooth_l1_loss_backward(grad_output, self, target, reduction, beta):
    _no_bool_or_complex("smooth_l1_backward_cpu_out", self)
    if not _broadcast_exceeds(PIECE, grad_output, self, target):
        return _smooth_slope(grad_output, self, target, _mean_factor(self, reduction), beta)
    return _gradient("smooth_l1_loss_backward", _smooth_slope, (grad_output, self, target), _mean_factor(self, reduction), beta)


def _smooth_slope(g, x, t, factor, beta):
    difference = aten.sub.Tensor(x, t)
    # Without a quadratic part only the sign is left, and NaN must not come from 0 / 0.
    slope = aten.sign.default(difference) if beta == 0 else aten.clamp.default(aten.div.Scalar(difference, beta), -1, 1)
    return in_dtype_of(x, aten.mul.Tensor(aten.mul.Scalar(slope, factor), g))


def huber_loss(self, target, reduction=MEAN, delta=1.0):
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    only_floats("huber_cpu", self, target)
    if not _broadcast_exceeds(PIECE, self, target):
        return reduced(_huber_distance(self, target, delta), reduction)
    return _loss("huber_loss", _huber_distance, reduction, (self, target), delta)


def _huber_distance(x, t, delta):
    z, near = _distance(x, t, delta)
    return aten.mul_.Tensor(z, near)


def huber_loss_backward(grad_output, self, target, reduction, delta):
    only_floats("huber_backward_cpu_out", self)
    if not _broadcast_exceeds(PIECE, grad_output, self, target):
        return _huber_slope(grad_output, self, target, _mean_factor(self, reduction), delta)
    return _gradient("huber_loss_backward", _huber_slope, (grad_output, self, target), _mean_factor(self, reduction), delta)


def _huber_slope(g, x, t, factor, delta):
    slope = aten.clamp.default(aten.sub.Tensor(x, t), -delta, delta)
    return aten.mul.Tensor(aten.mul.Scalar(slope, factor), g)


# ---- probabilities


def _is_meta(tensor):
    return tensor.device.type == "meta"


def _check_unit_interval(tensor, name):
    if _is_meta(tensor) or not tensor.numel():
        return
    low, high = aten.aminmax.default(tensor)
    if not (low.item() >= 0 and high.item() <= 1):  # so that a NaN is refused
        raise RuntimeError(f"all elements of {name} should be between 0 and 1")


def _same_dtype(self, *others):
    for other in others:
        if other is not None and other.dtype != self.dtype:
            raise RuntimeError(f"Found dtype {scalar_name(other.dtype)} but expected {scalar_name(self.dtype)}")


def wide(*tensors):
    """float16 and bfloat16 as float32: an expression of several operators is rounded once."""
    import runtime

    narrow = runtime.float16, runtime.bfloat16
    return [t if t is None or t.dtype not in narrow else aten.to.dtype(t, runtime.float32) for t in tensors]


def binary_cross_entropy(self, target, weight=None, reduction=MEAN):
    only_floats("binary_cross_entropy", self)
    _same_dtype(self, target, weight)
    _check_unit_interval(self, "input")
    _check_unit_interval(target, "target")
    if not _broadcast_exceeds(PIECE, self, target, weight):
        return in_dtype_of(self, reduced(_cross_entropy(self, target, weight, reduction), reduction))
    return in_dtype_of(self, _loss("binary_cross_entropy", _cross_entropy, reduction, (self, target, weight), reduction))


def _cross_entropy(self, target, weight, reduction):
    x, t, w = wide(self, target, weight)
    # Logarithms are cut off at -100, so that a probability of exactly 0 or 1 gives a finite loss.
    part = aten.clamp_min_.default(aten.log1p_.default(aten.neg.default(x)), -100)
    loss = aten.mul.Tensor(aten.sub.Scalar(t, 1), part)
    part = aten.clamp_min_.default(aten.log.out(x, out=part), -100)
    loss = aten.sub_.Tensor(loss, aten.mul.Tensor(t, part))
    if w is not None:
        loss = aten.mul.Tensor(loss, w)
    return loss if reduction in (MEAN, SUM) else in_dtype_of(self, loss)


def binary_cross_entropy_backward(grad_output, self, target, weight=None, reduction=MEAN):
    only_floats("binary_cross_entropy_backward", self)
    _same_dtype(self, target, weight)
    factor = _mean_factor(self, reduction)
    if not _broadcast_exceeds(PIECE, grad_output, self, target, weight):
        return _cross_entropy_slope(grad_output, self, target, weight, factor, reduction)
    return _gradient("binary_cross_entropy_backward", _cross_entropy_slope, (grad_output, self, target, weight), factor, reduction)


def _cross_entropy_slope(grad_output, self, target, weight, factor, reduction):
    g, x, t, w = wide(grad_output, self, target, weight)
    variance = aten.clamp_min.default(aten.mul.Tensor(aten.rsub.Scalar(x, 1), x), 1e-12)
    result = aten.div.Tensor(aten.mul.Tensor(g, aten.sub.Tensor(x, t)), variance)
    if w is not None:
        result = aten.mul.Tensor(result, w)
    return in_dtype_of(self, aten.mul.Scalar(result, factor) if reduction == MEAN else result)


def binary_cross_entropy_with_logits(self, target, weight=None, pos_weight=None, reduction=MEAN):
    only_floats("log_sigmoid_cpu", self)
    if not _broadcast_exceeds(PIECE, self, target, weight, pos_weight):
        return reduced(_logits_cross_entropy(self, target, weight, pos_weight), reduction)
    return _loss("binary_cross_entropy_with_logits", _logits_cross_entropy, reduction, (self, target, weight, pos_weight))


def _logits_cross_entropy(x, t, weight, pos_weight):
    log_sigmoid = aten.log_sigmoid_forward.default(x)[0]
    if pos_weight is not None:
        log_sigmoid = aten.mul.Tensor(log_sigmoid, aten.add.Scalar(aten.mul.Tensor(aten.sub.Scalar(pos_weight, 1), t), 1))
    away = aten.rsub.Scalar(t, 1)
    if not away.dtype.is_floating_point:
        raise RuntimeError(f"result type {scalar_name(x.dtype)} can't be cast to the desired output type {scalar_name(away.dtype)}")
    loss = aten.sub.Tensor(aten.mul.Tensor(away, x), log_sigmoid)
    return loss if weight is None else aten.mul.Tensor(loss, weight)


def kl_div(self, target, reduction=MEAN, *, log_target=False):
    for t in self, target:
        if t.dtype.is_complex:
            raise RuntimeError("kl_div: Complex inputs not supported.")
        if not t.dtype.is_floating_point:
            raise RuntimeError("kl_div: Integral inputs not supported.")
    if not _broadcast_exceeds(PIECE, self, target):
        return reduced(_divergence(self, target, log_target), reduction)
    return _composite_loss(_divergence, reduction, (self, target), log_target)


def _divergence(x, t, log_target):
    if log_target:
        return aten.mul.Tensor(aten.exp.default(t), aten.sub.Tensor(t, x))
    return aten.sub.Tensor(aten.xlogy.Tensor(t, t), aten.mul.Tensor(t, x))


def poisson_nll_loss(input, target, log_input, full, eps, reduction):
    def expression(x, t):
        if log_input:
            loss = aten.sub.Tensor(aten.exp.default(x), aten.mul.Tensor(t, x))
        else:
            loss = aten.sub.Tensor(x, aten.mul.Tensor(t, aten.log.default(aten.add.Scalar(x, eps))))
        if full:
            stirling = aten.sub.Tensor(aten.mul.Tensor(t, aten.log.default(t)), t)
            stirling = aten.add.Tensor(stirling, aten.mul.Scalar(aten.log.default(aten.mul.Scalar(t, 2 * math.pi)), 0.5))
            loss = aten.add.Tensor(loss, aten.masked_fill.Scalar(stirling, aten.le.Scalar(t, 1), 0))
        return loss

    if not _broadcast_exceeds(PIECE, input, target):
        return reduced(expression(input, target), reduction)
    return _composite_loss(expression, reduction, (input, target))


def soft_margin_loss(self, target, reduction=MEAN):
    if not _broadcast_exceeds(PIECE, self, target):
        return reduced(_soft_margin(self, target), reduction)
    return _loss("soft_margin_loss", _soft_margin, reduction, (self, target))


def _soft_margin(x, t):
    exponent = aten.mul.Tensor(aten.neg.default(x), t)
    _only_inexact(x)
    return aten.log1p_.default(aten.exp_.default(exponent))


def _only_inexact(self):
    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        raise RuntimeError(f"result type Float can't be cast to the desired output type {scalar_name(self.dtype)}")


def soft_margin_loss_backward(grad_output, self, target, reduction):
    if not _broadcast_exceeds(PIECE, grad_output, self, target):
        return _soft_margin_slope(grad_output, self, target, _mean_factor(self, reduction))
    return _gradient("soft_margin_loss_backward", _soft_margin_slope, (grad_output, self, target), _mean_factor(self, reduction))


def _soft_margin_slope(g, x, t, factor):
    exponent = aten.mul.Tensor(aten.neg.default(t), x)
    _only_inexact(x)
    z = aten.exp_.default(exponent)
    slope = aten.mul.Tensor(aten.neg.default(t), z)
    slope = aten.div_.Tensor(slope, aten.add_.Scalar(z, 1))
    return aten.mul.Tensor(aten.mul_.Scalar(slope, factor), g)


# ---- targets of 1 and -1, and margins


def hinge_embedding_loss(self, target, margin=1.0, reduction=MEAN):
    # The margin is taken in the tensor's dtype: integers stay integers.
    margin = margin if self.dtype.is_floating_point or self.dtype.is_complex else int(margin)

    def expression(x, t):
        apart = _zero_unless(aten.ne.Scalar(t, 1), aten.clamp_min.default(aten.rsub.Scalar(x, margin), 0))
        return aten.add.Tensor(apart, _zero_unless(aten.ne.Scalar(t, -1), x))

    if not _broadcast_exceeds(PIECE, self, target):
        return reduced(expression(self, target), reduction)
    return _composite_loss(expression, reduction, (self, target))


def margin_ranking_loss(input1, input2, target, margin=0.0, reduction=MEAN):
    def expression(a, b, t):
        wrong = aten.mul.Tensor(aten.neg.default(t), aten.sub.Tensor(a, b))
        return aten.clamp_min.default(aten.add.Scalar(wrong, margin), 0)

    if not _broadcast_exceeds(PIECE, input1, input2, target):
        return reduced(expression(input1, input2, target), reduction)
    return _composite_loss(expression, reduction, (input1, input2, target))


def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=MEAN):
    dim = target.dim()
    if dim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.dim() != dim + 1 or input2.dim() != dim + 1:
        raise RuntimeError(
            f"{dim}D target tensor expects {dim + 1}D input tensors, but found inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    product, square1, square2 = (
        aten.sum.dim_IntList(aten.mul.Tensor(a, b), (dim,)) for a, b in ((input1, input2), (input1, input1), (input2, input2))
    )
    squares = aten.mul.Tensor(aten.add.Scalar(square1, 1e-12), aten.add.Scalar(square2, 1e-12))
    cosine = aten.div.Tensor(product, aten.sqrt.default(squares))
    near = _zero_unless(aten.eq.Scalar(target, 1), aten.rsub.Scalar(cosine, 1))
    far = _zero_unless(aten.eq.Scalar(target, -1), aten.clamp_min.default(aten.sub.Scalar(cosine, margin), 0))
    return reduced(aten.add.Tensor(near, far), reduction)


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-06, swap=False, reduction=MEAN):
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    if margin <= 0:
        raise RuntimeError(f"triplet_margin_loss: expected margin to be greater than 0, but got {margin:g}")
    near = aten.pairwise_distance.default(anchor, positive, p, eps)
    far = aten.pairwise_distance.default(anchor, negative, p, eps)
    if swap:
        far = aten.minimum.default(far, aten.pairwise_distance.default(positive, negative, p, eps))
    return reduced(aten.clamp_min.default(aten.sub.Tensor(aten.add.Scalar(near, margin), far), 0), reduction)
