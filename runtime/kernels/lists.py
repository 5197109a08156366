"""Operators over lists of tensors that do more than call another one for each place (`each::NAME` in the entries)."""

from runtime._core import ops

aten = ops.aten


def _numbers(scalars, n):
    """The elements of a vector on the CPU as numbers, one for each tensor."""
    if scalars.device.type != "cpu":
        raise RuntimeError(f"Expected scalars to be on CPU, got {scalars.device} instead.")
    if not scalars.is_contiguous():
        raise RuntimeError("Expected scalars to be contiguous.")
    if scalars.dim() != 1:
        raise RuntimeError(f"Expected packed scalar Tensor to be of dimension 1. Got {scalars.dim()} instead.")
    if scalars.size(0) != n:
        raise RuntimeError(f"Expected length of scalars to match input of length {n} but got {scalars.size(0)} instead.")
    return scalars.tolist()


def _foreach_addcmul_Tensor(self, tensor1, tensor2, scalars):
    return aten._foreach_addcmul.ScalarList(self, tensor1, tensor2, _numbers(scalars, len(self)))


def _foreach_addcmul__Tensor(self, tensor1, tensor2, scalars):
    aten._foreach_addcmul_.ScalarList(self, tensor1, tensor2, _numbers(scalars, len(self)))


def _foreach_addcdiv_Tensor(self, tensor1, tensor2, scalars):
    return aten._foreach_addcdiv.ScalarList(self, tensor1, tensor2, _numbers(scalars, len(self)))


def _foreach_addcdiv__Tensor(self, tensor1, tensor2, scalars):
    aten._foreach_addcdiv_.ScalarList(self, tensor1, tensor2, _numbers(scalars, len(self)))


def _foreach_powsum_Scalar(self, ord=2, dtype=None):
    results = []
    for t in self:
        powers = aten.pow.Tensor_Scalar(aten.abs.default(t if dtype is None else aten.to.dtype(t, dtype)), ord)
        results.append(aten.sum.default(powers))
    return results


def _adam_step(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, lr, beta1, beta2, weight_decay, eps, amsgrad, maximize,
               grad_scale, found_inf, decoupled):  # fmt: skip
    """One step of Adam on every parameter; `decoupled` (AdamW): weights decay by themselves instead of through the gradient."""
    if found_inf is not None and found_inf.item() == 1:
        return
    for i, (param, grad, average, square, step) in enumerate(zip(self, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True)):
        if grad_scale is not None:
            aten.div_.Scalar(grad, grad_scale.item())
        steps = step.item()
        if maximize:
            grad = aten.neg.default(grad)
        if weight_decay and decoupled:
            aten.mul_.Scalar(param, 1 - lr * weight_decay)
        elif weight_decay:
            grad = aten.add.Tensor(grad, param, alpha=weight_decay)
        aten.lerp_.Scalar(average, grad, 1 - beta1)
        aten.addcmul_.default(aten.mul_.Scalar(square, beta2), grad, grad, value=1 - beta2)
        if amsgrad:
            square = aten.maximum.out(max_exp_avg_sqs[i], square, out=max_exp_avg_sqs[i])
        root = aten.div_.Scalar(aten.sqrt.default(square), (1 - beta2**steps) ** 0.5)
        aten.addcdiv_.default(param, average, aten.add_.Scalar(root, eps), value=-lr / (1 - beta1**steps))


def _fused_adam_(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, *, lr, beta1, beta2, weight_decay, eps, amsgrad,
                 maximize, grad_scale=None, found_inf=None):  # fmt: skip
    _adam_step(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, lr, beta1, beta2, weight_decay, eps, amsgrad, maximize,
               grad_scale, found_inf, False)  # fmt: skip


def _fused_adam__tensor_lr(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, *, lr, beta1, beta2, weight_decay, eps,
                           amsgrad, maximize, grad_scale=None, found_inf=None):  # fmt: skip
    _adam_step(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, lr.item(), beta1, beta2, weight_decay, eps, amsgrad,
               maximize, grad_scale, found_inf, False)  # fmt: skip


def _fused_adamw_(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, *, lr, beta1, beta2, weight_decay, eps, amsgrad,
                  maximize, grad_scale=None, found_inf=None):  # fmt: skip
    _adam_step(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, lr, beta1, beta2, weight_decay, eps, amsgrad, maximize,
               grad_scale, found_inf, True)  # fmt: skip


def _fused_adamw__tensor_lr(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, *, lr, beta1, beta2, weight_decay, eps,
                            amsgrad, maximize, grad_scale=None, found_inf=None):  # fmt: skip
    _adam_step(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, lr.item(), beta1, beta2, weight_decay, eps, amsgrad,
               maximize, grad_scale, found_inf, True)  # fmt: skip
