"""Losses of elements: each is a pointwise expression of input and target, then the reduction that the `reduction` code asks for.

They are composites: autograd and Meta tensors go through the operators they are made of.
"""

import math

from runtime._core import ops
from runtime.kernels._common import into, scalar_name

aten = ops.aten

NONE, MEAN, SUM = range(3)


def reduced(loss, reduction):
    """The loss after its reduction: 1 means the mean, 2 the sum, anything else none."""
    if reduction == MEAN:
        return aten.mean.default(loss)
    return aten.sum.default(loss) if reduction == SUM else loss


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
    return reduced(aten.abs.default(aten.sub.Tensor(self, target)), reduction)


def mse_loss(self, target, reduction=MEAN):
    only_floats("mse_cpu", self, target)
    difference = aten.sub.Tensor(self, target)
    return reduced(aten.mul_.Tensor(difference, difference), reduction)


def mse_loss_out(self, target, reduction=MEAN, *, out):
    if reduction != NONE:
        return into(out, mse_loss(self, target, reduction))
    only_floats("mse_cpu", self, target)
    aten.sub.out(self, target, out=out)
    return aten.mul_.Tensor(out, out)


def mse_loss_backward(grad_output, self, target, reduction):
    _no_bool_or_complex("mse_backward_cpu_out", self)
    difference = aten.sub.Tensor(self, target)
    return in_dtype_of(self, aten.mul.Tensor(aten.mul.Scalar(difference, 2 * _mean_factor(self, reduction)), grad_output))


def in_dtype_of(self, result):
    return result if result.dtype == self.dtype else aten.to.dtype(result, self.dtype)


def smooth_l1_loss(self, target, reduction=MEAN, beta=1.0):
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return aten.l1_loss.default(self, target, reduction)
    only_floats("smooth_l1_cpu", self, target)
    z, near = _distance(self, target, beta)
    return reduced(aten.mul_.Tensor(z, aten.div_.Tensor(near, beta)), reduction)


def _distance(self, target, limit):
    """How far target is, less half of the part within a limit, and that part: their product is half a square up to the limit, a line beyond."""
    z = aten.abs_.default(aten.sub.Tensor(self, target))
    near = aten.clamp_max.default(z, limit)
    return aten.sub_.Tensor(z, near, alpha=0.5), near


def smooth_l1_loss_backward(grad_output, self, target, reduction, beta):
    _no_bool_or_complex("smooth_l1_backward_cpu_out", self)
    x = aten.sub.Tensor(self, target)
    # Without a quadratic part only the sign is left, and NaN must not come from 0 / 0.
    slope = aten.sign.default(x) if beta == 0 else aten.clamp.default(aten.div.Scalar(x, beta), -1, 1)
    return in_dtype_of(self, aten.mul.Tensor(aten.mul.Scalar(slope, _mean_factor(self, reduction)), grad_output))


def huber_loss(self, target, reduction=MEAN, delta=1.0):
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    only_floats("huber_cpu", self, target)
    z, near = _distance(self, target, delta)
    return reduced(aten.mul_.Tensor(z, near), reduction)


def huber_loss_backward(grad_output, self, target, reduction, delta):
    only_floats("huber_backward_cpu_out", self)
    slope = aten.clamp.default(aten.sub.Tensor(self, target), -delta, delta)
    return aten.mul.Tensor(aten.mul.Scalar(slope, _mean_factor(self, reduction)), grad_output)


# ---- probabilities


def _is_meta(tensor):
    return tensor.device.type == "meta"


def _check_unit_interval(tensor, name):
    if _is_meta(tensor) or not tensor.numel():
        return
    inside = aten.bitwise_and.Tensor(aten.ge.Scalar(tensor, 0), aten.le.Scalar(tensor, 1))
    if not aten.all.default(inside).item():
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
    x, t, w = wide(self, target, weight)
    # Logarithms are cut off at -100, so that a probability of exactly 0 or 1 gives a finite loss.
    part = aten.clamp_min_.default(aten.log1p_.default(aten.neg.default(x)), -100)
    loss = aten.mul.Tensor(aten.sub.Scalar(t, 1), part)
    part = aten.clamp_min_.default(aten.log.out(x, out=part), -100)
    loss = aten.sub_.Tensor(loss, aten.mul.Tensor(t, part))
    if w is not None:
        loss = aten.mul.Tensor(loss, w)
    return in_dtype_of(self, reduced(loss, reduction))


def binary_cross_entropy_backward(grad_output, self, target, weight=None, reduction=MEAN):
    only_floats("binary_cross_entropy_backward", self)
    _same_dtype(self, target, weight)
    g, x, t, w = wide(grad_output, self, target, weight)
    variance = aten.clamp_min.default(aten.mul.Tensor(aten.rsub.Scalar(x, 1), x), 1e-12)
    result = aten.div.Tensor(aten.mul.Tensor(g, aten.sub.Tensor(x, t)), variance)
    if w is not None:
        result = aten.mul.Tensor(result, w)
    return in_dtype_of(self, aten.mul.Scalar(result, _mean_factor(self, reduction)) if reduction == MEAN else result)


def binary_cross_entropy_with_logits(self, target, weight=None, pos_weight=None, reduction=MEAN):
    only_floats("log_sigmoid_cpu", self)
    log_sigmoid = aten.log_sigmoid.default(self)
    if pos_weight is not None:
        log_sigmoid = aten.mul.Tensor(log_sigmoid, aten.add.Scalar(aten.mul.Tensor(aten.sub.Scalar(pos_weight, 1), target), 1))
    away = aten.rsub.Scalar(target, 1)
    if not away.dtype.is_floating_point:
        raise RuntimeError(f"result type {scalar_name(self.dtype)} can't be cast to the desired output type {scalar_name(away.dtype)}")
    loss = aten.sub.Tensor(aten.mul.Tensor(away, self), log_sigmoid)
    return reduced(loss if weight is None else aten.mul.Tensor(loss, weight), reduction)


def kl_div(self, target, reduction=MEAN, *, log_target=False):
    for t in self, target:
        if t.dtype.is_complex:
            raise RuntimeError("kl_div: Complex inputs not supported.")
        if not t.dtype.is_floating_point:
            raise RuntimeError("kl_div: Integral inputs not supported.")
    if log_target:
        return reduced(aten.mul.Tensor(aten.exp.default(target), aten.sub.Tensor(target, self)), reduction)
    return reduced(aten.sub.Tensor(aten.xlogy.Tensor(target, target), aten.mul.Tensor(target, self)), reduction)


def poisson_nll_loss(input, target, log_input, full, eps, reduction):
    if log_input:
        loss = aten.sub.Tensor(aten.exp.default(input), aten.mul.Tensor(target, input))
    else:
        loss = aten.sub.Tensor(input, aten.mul.Tensor(target, aten.log.default(aten.add.Scalar(input, eps))))
    if full:
        stirling = aten.sub.Tensor(aten.mul.Tensor(target, aten.log.default(target)), target)
        stirling = aten.add.Tensor(stirling, aten.mul.Scalar(aten.log.default(aten.mul.Scalar(target, 2 * math.pi)), 0.5))
        loss = aten.add.Tensor(loss, aten.masked_fill.Scalar(stirling, aten.le.Scalar(target, 1), 0))
    return reduced(loss, reduction)


def soft_margin_loss(self, target, reduction=MEAN):
    exponent = aten.mul.Tensor(aten.neg.default(self), target)
    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        raise RuntimeError(f"result type Float can't be cast to the desired output type {scalar_name(self.dtype)}")
    return reduced(aten.log1p_.default(aten.exp_.default(exponent)), reduction)


def soft_margin_loss_backward(grad_output, self, target, reduction):
    exponent = aten.mul.Tensor(aten.neg.default(target), self)
    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        raise RuntimeError(f"result type Float can't be cast to the desired output type {scalar_name(self.dtype)}")
    z = aten.exp.default(exponent)
    slope = aten.div.Tensor(aten.mul.Tensor(aten.neg.default(target), z), aten.add.Scalar(z, 1))
    return aten.mul.Tensor(aten.mul.Scalar(slope, _mean_factor(self, reduction)), grad_output)


# ---- targets of 1 and -1, and margins


def hinge_embedding_loss(self, target, margin=1.0, reduction=MEAN):
    # The margin is taken in the tensor's dtype: integers stay integers.
    away = aten.rsub.Scalar(self, margin if self.dtype.is_floating_point or self.dtype.is_complex else int(margin))
    apart = _zero_unless(aten.ne.Scalar(target, 1), aten.clamp_min.default(away, 0))
    together = _zero_unless(aten.ne.Scalar(target, -1), self)
    return reduced(aten.add.Tensor(apart, together), reduction)


def margin_ranking_loss(input1, input2, target, margin=0.0, reduction=MEAN):
    wrong = aten.mul.Tensor(aten.neg.default(target), aten.sub.Tensor(input1, input2))
    return reduced(aten.clamp_min.default(aten.add.Scalar(wrong, margin), 0), reduction)


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
