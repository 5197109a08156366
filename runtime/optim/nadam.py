"""NAdam: Adam with Nesterov momentum (Dozat, 2016)."""

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
    shared,
    zeros,
)

__all__ = ["NAdam"]


class NAdam(Update):
    """Adam with Nesterov momentum, whose weight grows with the number of steps.

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
    momentum_decay : float
        How fast the weight of momentum grows.
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
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group, params, grads, lists):
        states = self._states(params, lambda p: {"step": count(), "mu_product": count(1.0), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)})
        steps = counted(states, lists)
        lr, (beta1, beta2), decay = number(group["lr"]), group["betas"], group["momentum_decay"]
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                lists.mul_(params, 1 - lr * group["weight_decay"])
            else:
                grads = decayed(grads, params, group["weight_decay"], lists)
        params, grads, means, squares = as_real(params, grads, [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states])
        lists.lerp_(means, grads, 1 - beta1)
        lists.mul_(squares, beta2)
        lists.addcmul_(squares, grads, grads, value=1 - beta2)
        roots = lists.sqrt(lists.div(squares, for_each(steps, lambda step: 1 - beta2**step)))
        roots = lists.add(roots, group["eps"])
        of_gradients, of_means = [], []
        for state, step in zip(states, steps, strict=True):
            weight, following = (beta1 * (1.0 - 0.5 * 0.96 ** (k * decay)) for k in (step, step + 1))
            product = state["mu_product"].mul_(weight).item()
            of_gradients.append(-lr * (1.0 - weight) / (1.0 - product))
            of_means.append(-lr * following / (1.0 - product * following))
        lists.addcdiv_(params, grads, roots, shared(of_gradients))
        lists.addcdiv_(params, means, roots, shared(of_means))
