"""Rprop: resilient backpropagation (Riedmiller and Braun, 1993)."""

import runtime
from runtime.optim._update import Update, as_real, check_lr, count, counted, number, zeros

__all__ = ["Rprop"]


class Rprop(Update):
    """Each element moves by a distance of its own, which grows while the gradient's sign stays and shrinks when it changes.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`.
    lr : float or Tensor
        The first distance.
    etas : tuple of float
        By what distances shrink and grow.
    step_sizes : tuple of float
        The least and the largest distance.
    capturable, foreach : bool, optional
        Accepted.
    maximize : bool
        Whether parameters move along their gradients.
    differentiable : bool
        Whether autograd records the step.
    """

    def __init__(
        self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None, maximize=False,
        differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group, params, grads, lists):
        lr = number(group["lr"])

        def first(p):
            distance = complex(lr, lr) if p.is_complex() else lr
            return {"step": count(), "prev": zeros(p), "step_size": runtime.full_like(p, distance)}

        states = self._states(params, first)
        counted(states, lists)
        shrink, grow = group["etas"]
        least, largest = group["step_sizes"]
        lists_of = as_real(params, grads, [state["prev"] for state in states], [state["step_size"] for state in states])
        for p, grad, before, distance in zip(*lists_of, strict=True):
            sign = grad.mul(before.clone()).sign()
            factor = sign.masked_fill(sign > 0, grow).masked_fill_(sign < 0, shrink).masked_fill_(sign == 0, 1)
            distance.mul_(factor).clamp_(least, largest)
            # Where the sign changed the element stays, and the next step counts as the first.
            grad = runtime.where(sign < 0, 0, grad)
            p.addcmul_(grad.sign(), distance, value=-1)
            before.copy_(grad)
