"""Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019)."""

import runtime
from runtime._core import Tensor
from runtime.optim._update import (
    Update,
    as_real,
    check_betas,
    check_fused,
    check_lr,
    check_not_negative,
    count,
    decayed,
    for_each,
    number,
    over_lists,
    tensor_by_tensor,
    zeros,
)

__all__ = ["Adam", "AdamW", "adam"]


class Adam(Update):
    """Parameters move against the running mean of their gradients, over the root of that of their squares.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`.
    lr : float or Tensor
        The learning rate.
    betas : tuple of float
        How much of the running means of gradients and squares stays at each step.
    eps : float
        Added to roots.
    weight_decay : float
        How much of a parameter is added to its gradient.
    amsgrad : bool
        Whether the largest mean of squares so far counts (Reddi et al., 2018).
    foreach, fused, capturable : bool, optional
        Accepted; operators over lists are used anyway.
    maximize : bool
        Whether parameters move along their gradients.
    differentiable : bool
        Whether autograd records the step.
    decoupled_weight_decay : bool
        Whether weights decay by themselves, not through gradients, as in `AdamW`.
    """

    _refusal = "Adam does not support sparse gradients, please consider SparseAdam instead"

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None, maximize=False,
        capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False,
    ):  # fmt: skip
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        kinds = [type(beta) if isinstance(beta, float) else Tensor if isinstance(beta, Tensor) else None for beta in betas]
        if None in kinds or kinds[0] is not kinds[1]:
            raise ValueError("betas must be either both floats or both Tensors")
        for i, beta in enumerate(betas):
            if isinstance(beta, Tensor):
                if foreach and not capturable:
                    raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
                if beta.numel() != 1:
                    raise ValueError(f"Tensor betas[{i}] must be 1-element")
        defaults = {
            "lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _update(self, group, params, grads, lists):
        amsgrad = group["amsgrad"]
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if amsgrad else ("exp_avg", "exp_avg_sq")
        states = self._states(params, lambda p: {"step": count(), **{name: zeros(p) for name in names}})
        held = ([state[name] for state in states] for name in ("step", *names))
        settings = {name: group[name] for name in ("lr", "eps", "weight_decay", "decoupled_weight_decay", "amsgrad")}
        _step(params, grads, *held, *([] if amsgrad else [[]]), lists, betas=group["betas"], **settings)


def _step(params, grads, counts, means, squares, largest, lists, *, amsgrad, betas, lr, weight_decay, eps, decoupled_weight_decay):
    lists.add_(counts, 1)
    steps = [step.item() for step in counts]
    lr, weight_decay = number(lr), number(weight_decay)
    beta1, beta2 = map(number, betas)
    if weight_decay:
        if decoupled_weight_decay:
            lists.mul_(params, 1 - lr * weight_decay)
        else:
            grads = decayed(grads, params, weight_decay, lists)
    params, grads, means, squares = as_real(params, grads, means, squares)
    lists.lerp_(means, grads, 1 - beta1)
    lists.mul_(squares, beta2)
    lists.addcmul_(squares, grads, grads, value=1 - beta2)
    if amsgrad:
        largest = [runtime.view_as_real(t) if t.is_complex() else t for t in largest]
        lists.maximum_(largest, squares)
        squares = largest
    roots = lists.sqrt(squares)
    lists.div_(roots, for_each(steps, lambda step: (1 - beta2**step) ** 0.5))
    lists.add_(roots, eps)
    lists.addcdiv_(params, means, roots, for_each(steps, lambda step: -lr / (1 - beta1**step)))


class AdamW(Adam):
    """Adam whose weights decay by themselves, not through gradients; see `Adam` for the parameters."""

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False, foreach=None,
        capturable=False, differentiable=False, fused=None,
    ):  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


def adam(
    params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, foreach=None, capturable=False, differentiable=False, fused=None,
    grad_scale=None, found_inf=None, has_complex=False, decoupled_weight_decay=False, *, amsgrad, beta1, beta2, lr, weight_decay, eps, maximize,
):  # fmt: skip
    """A step of `Adam` as a function.

    Parameters
    ----------
    params, grads : list of Tensor
        The parameters, which change, and their gradients.
    exp_avgs, exp_avg_sqs, max_exp_avg_sqs : list of Tensor
        The running means of gradients and of their squares, and the largest of these so far (with `amsgrad`), which change.
    state_steps : list of Tensor
        The counts of steps, which change.
    foreach, capturable, fused, grad_scale, found_inf, has_complex
        Accepted; operators over lists are used anyway.
    differentiable : bool
        Whether autograd records the step.
    decoupled_weight_decay, amsgrad, beta1, beta2, lr, weight_decay, eps, maximize
        As of `Adam`.
    """
    if not all(isinstance(step, Tensor) for step in state_steps):
        raise RuntimeError("API has changed, `state_steps` argument must contain a list of singleton tensors")
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Expected grad_scale and found_inf to be None")
    lists = tensor_by_tensor if differentiable else over_lists
    if maximize:
        grads = lists.neg(grads)
    _step(
        params, grads, state_steps, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, lists, amsgrad=amsgrad, betas=(beta1, beta2), lr=lr,
        weight_decay=weight_decay, eps=eps, decoupled_weight_decay=decoupled_weight_decay,
    )  # fmt: skip


def adamw(*args, **kwargs):
    """A step of `AdamW` as a function: `adam` with weights that decay by themselves."""
    adam(*args, **kwargs, decoupled_weight_decay=True)


def _single_tensor_adam(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, grad_scale, found_inf, **settings):
    """`adam` by the name of PyTorch's loop over parameters."""
    adam(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, grad_scale=grad_scale, found_inf=found_inf, **settings)


_multi_tensor_adam = _single_tensor_adam
