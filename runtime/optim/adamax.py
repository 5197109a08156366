"""Adamax (Kingma and Ba, 2015)."""

from runtime.optim._update import (
    Update,
    as_real,
    check_betas,
    check_lr,
    check_not_negative,
    count,
    counted,
    decayed,
    for_each,
    number,
    zeros,
)

__all__ = ["Adamax"]


class Adamax(Update):
    """Adam with a decaying maximum of gradients in place of the root of mean squares.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`.
    lr : float or Tensor
        The learning rate.
    betas : tuple of float
        How much of the mean and of the maximum stays at each step.
    eps : float
        Added to gradients' sizes.
    weight_decay : float
        How much of a parameter is added to its gradient.
    foreach, capturable : bool, optional
        Accepted; operators over lists are used anyway.
    maximize : bool
        Whether parameters move along their gradients.
    differentiable : bool
        Whether autograd records the step.
    """

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False, differentiable=False,
        capturable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group, params, grads, lists):
        states = self._states(params, lambda p: {"step": count(), "exp_avg": zeros(p), "exp_inf": zeros(p)})
        steps = counted(states, lists)
        lr, (beta1, beta2) = number(group["lr"]), group["betas"]
        grads = decayed(grads, params, group["weight_decay"], lists)
        params, grads, means, largest = as_real(params, grads, [state["exp_avg"] for state in states], [state["exp_inf"] for state in states])
        lists.lerp_(means, grads, 1 - beta1)
        lists.mul_(largest, beta2)
        lists.maximum_(largest, lists.add(lists.abs(grads), group["eps"]))
        lists.addcdiv_(params, means, largest, for_each(steps, lambda step: -lr / (1 - beta1**step)))
