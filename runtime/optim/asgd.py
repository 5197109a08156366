"""Averaged stochastic gradient descent (Polyak and Juditsky, 1992)."""

from runtime.optim._update import Update, as_real, check_lr, check_not_negative, count, counted, decayed, number, zeros

__all__ = ["ASGD"]


class ASGD(Update):
    """Gradient descent with a falling learning rate, and the mean of parameters over the later steps in the state.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`.
    lr : float or Tensor
        The first learning rate.
    lambd : float
        How fast parameters decay.
    alpha : float
        The power with which the learning rate falls.
    t0 : float
        The step at which the mean begins.
    weight_decay : float
        How much of a parameter is added to its gradient.
    foreach, capturable : bool, optional
        Accepted.
    maximize : bool
        Whether parameters move along their gradients.
    differentiable : bool
        Whether autograd records the step.
    """

    def __init__(
        self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False, differentiable=False,
        capturable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group, params, grads, lists):
        lr, lambd, alpha = number(group["lr"]), group["lambd"], group["alpha"]
        states = self._states(params, lambda p: {"step": count(), "eta": count(lr), "mu": count(1.0), "ax": zeros(p)})
        steps = counted(states, lists)
        grads = decayed(grads, params, group["weight_decay"], lists)
        lists_of = as_real(params, grads, [state["ax"] for state in states])
        for p, grad, mean, state, step in zip(*lists_of, states, steps, strict=True):
            eta, mu = state["eta"].item(), state["mu"]
            p.mul_(1 - lambd * eta)
            p.add_(grad, alpha=-eta)
            if mu.item() == 1:
                mean.copy_(p)
            else:
                mean.add_(p.sub(mean).mul_(mu))
            state["eta"].fill_(lr / (1 + lambd * lr * step) ** alpha)
            mu.fill_(1 / max(1, step - group["t0"]))
