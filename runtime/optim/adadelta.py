"""Adadelta (Zeiler, 2012)."""

from runtime.optim._update import Update, as_real, check_lr, check_not_negative, count, counted, decayed, number, zeros

__all__ = ["Adadelta"]


class Adadelta(Update):
    """Parameters move against their gradients, times the ratio of the roots of mean squares of moves and gradients.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`.
    lr : float or Tensor
        A factor of each move.
    rho : float
        How much of running means stays at each step.
    eps : float
        Added to mean squares.
    weight_decay : float
        How much of a parameter is added to its gradient.
    foreach, capturable : bool, optional
        Accepted; operators over lists are used anyway.
    maximize : bool
        Whether parameters move along their gradients.
    differentiable : bool
        Whether autograd records the step.
    """

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *, capturable=False, maximize=False, differentiable=False):
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative(epsilon=eps)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize, "capturable": capturable, "foreach": foreach,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group, params, grads, lists):
        rho, eps = group["rho"], group["eps"]
        states = self._states(params, lambda p: {"step": count(), "square_avg": zeros(p), "acc_delta": zeros(p)})
        counted(states, lists)
        grads = decayed(grads, params, group["weight_decay"], lists)
        params, grads, squares, moved = as_real(params, grads, [state["square_avg"] for state in states], [state["acc_delta"] for state in states])
        lists.mul_(squares, rho)
        lists.addcmul_(squares, grads, grads, value=1 - rho)
        roots = lists.sqrt(lists.add(squares, eps))
        moves = lists.mul(lists.div(lists.sqrt(lists.add(moved, eps)), roots), grads)
        lists.mul_(moved, rho)
        lists.addcmul_(moved, moves, moves, value=1 - rho)
        lists.add_(params, moves, alpha=-number(group["lr"]))
