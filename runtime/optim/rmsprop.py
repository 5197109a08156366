"""RMSprop (Tieleman and Hinton, 2012)."""

from runtime.optim._update import Update, as_real, check_lr, check_not_negative, count, counted, decayed, number, zeros

__all__ = ["RMSprop"]


class RMSprop(Update):
    """Parameters move against their gradients, over the root of the running mean of their squares.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`.
    lr : float or Tensor
        The learning rate.
    alpha : float
        How much of the running mean stays at each step.
    eps : float
        Added to roots.
    weight_decay : float
        How much of a parameter is added to its gradient.
    momentum : float
        By what the sum of moves decays at each step; 0 for none.
    centered : bool
        Whether the mean of gradients is taken from the mean of squares.
    capturable, foreach : bool, optional
        Accepted; operators over lists are used anyway.
    maximize : bool
        Whether parameters move along their gradients.
    differentiable : bool
        Whether autograd records the step.
    """

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False, foreach=None,
        maximize=False, differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_not_negative(momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered, "weight_decay": weight_decay,
            "capturable": capturable, "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group, params, grads, lists):
        momentum, alpha, lr = group["momentum"], group["alpha"], number(group["lr"])
        names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * group["centered"]]
        states = self._states(params, lambda p: {"step": count(), **{name: zeros(p) for name in names}})
        counted(states, lists)
        grads = decayed(grads, params, group["weight_decay"], lists)
        params, grads, *held = as_real(params, grads, *([state[name] for state in states] for name in names))
        held = dict(zip(names, held, strict=True))
        squares = held["square_avg"]
        lists.mul_(squares, alpha)
        lists.addcmul_(squares, grads, grads, value=1 - alpha)
        if group["centered"]:
            means = held["grad_avg"]
            lists.lerp_(means, grads, 1 - alpha)
            squares = lists.addcmul(squares, means, means, value=-1)
        roots = lists.add(lists.sqrt(squares), group["eps"])
        if momentum > 0:
            sums = held["momentum_buffer"]
            lists.mul_(sums, momentum)
            lists.addcdiv_(sums, grads, roots, 1.0)
            lists.add_(params, sums, alpha=-lr)
        else:
            lists.addcdiv_(params, grads, roots, -lr)
