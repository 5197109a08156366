"""Stochastic gradient descent, with momentum (Sutskever et al., 2013)."""

from runtime.optim._update import Update, check_fused, check_lr, decayed, number

__all__ = ["SGD"]


class SGD(Update):
    """Parameters move against their gradients, or against a decaying sum of them.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`.
    lr : float or Tensor
        The learning rate: how far parameters move.
    momentum : float
        By what the sum of gradients decays at each step; 0 for none.
    dampening : float
        By how much less than 1 a gradient counts in the sum.
    weight_decay : float
        How much of a parameter is added to its gradient.
    nesterov : bool
        Whether parameters move against the sum that the next step would have.
    maximize : bool
        Whether parameters move along their gradients.
    foreach, fused : bool, optional
        Accepted; operators over lists are used anyway.
    differentiable : bool
        Whether autograd records the step.

    Examples
    --------
    >>> import runtime
    >>> weight = runtime.nn.Parameter(runtime.tensor([1.0]))
    >>> weight.grad = runtime.tensor([0.5])
    >>> runtime.optim.SGD([weight], lr=0.1).step()
    >>> weight.item()
    0.949999988079071
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False, foreach=None,
        differentiable=False, fused=None,
    ):  # fmt: skip
        check_lr(lr)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize,
            "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _update(self, group, params, grads, lists):
        grads = decayed(grads, params, number(group["weight_decay"]), lists)
        momentum = group["momentum"]
        if momentum:
            sums = self._sums(params, grads, momentum, group["dampening"], lists)
            grads = lists.add(grads, sums, alpha=momentum) if group["nesterov"] else sums
        lists.add_(params, grads, alpha=-number(group["lr"]))

    def _sums(self, params, grads, momentum, dampening, lists):
        """The decaying sums, with these gradients added; the first gradient of a parameter is its sum."""
        states = [self.state[p] for p in params]
        sums = [state.get("momentum_buffer") for state in states]
        old = [i for i, buffer in enumerate(sums) if buffer is not None]
        if len(old) == len(params):
            lists.mul_(sums, momentum)
            lists.add_(sums, grads, alpha=1 - dampening)
            return sums
        if old:
            held = [sums[i] for i in old]
            lists.mul_(held, momentum)
            lists.add_(held, [grads[i] for i in old], alpha=1 - dampening)
        for i, state in enumerate(states):
            if sums[i] is None:
                sums[i] = state["momentum_buffer"] = grads[i].detach().clone()
        return sums
