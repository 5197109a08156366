"""RAdam: Adam whose first steps are corrected for the variance of the mean of squares (Liu et al., 2020)."""

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

__all__ = ["RAdam"]


class RAdam(Update):
    """Adam that divides by the root of mean squares only when enough steps make it reliable.

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
    decoupled_weight_decay : bool
        Whether weights decay by themselves, not through gradients.
    foreach, capturable : bool, optional
        Accepted; operators over lists are used anyway.
    maximize : bool
        Whether parameters move along their gradients.
    differentiable : bool
        Whether autograd records the step.
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *, foreach=None, maximize=False,
        capturable=False, differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group, params, grads, lists):
        states = self._states(params, lambda p: {"step": count(), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)})
        steps = counted(states, lists)
        lr, (beta1, beta2) = number(group["lr"]), group["betas"]
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                lists.mul_(params, 1 - lr * group["weight_decay"])
            else:
                grads = decayed(grads, params, group["weight_decay"], lists)
        params, grads, means, squares = as_real(params, grads, [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states])
        lists.lerp_(means, grads, 1 - beta1)
        lists.mul_(squares, beta2)
        lists.addcmul_(squares, grads, grads, value=1 - beta2)
        moves = lists.mul(lists.div(means, for_each(steps, lambda step: 1 - beta1**step)), lr)
        # Without rectification the move itself; a division by 1 keeps such parameters in the same lists.
        factors = [_rectification(step, beta2) for step in steps]
        roots = lists.add(lists.sqrt(squares), group["eps"])
        roots = [root if factor is not None else root.new_ones(()) for root, factor in zip(roots, factors, strict=True)]
        lists.addcdiv_(params, moves, roots, [-1.0 if factor is None else -factor for factor in factors])


def _rectification(step, beta2):
    """The factor of moves over roots, or None while the variance has no bound."""
    correction = 1 - beta2**step
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / correction
    if length <= 5.0:
        return None
    return correction**0.5 * ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5
