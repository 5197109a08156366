"""Stochastic gradient descent, with momentum (Sutskever et al., 2013)."""

from runtime.optim._update import Update, check_fused, check_lr, decayed, number, over_lists

__all__ = ["SGD", "sgd"]


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

    _refusal = None

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
        sums = [self.state[p].get("momentum_buffer") for p in params] if group["momentum"] else []
        settings = {name: group[name] for name in ("weight_decay", "momentum", "lr", "dampening", "nesterov")}
        _step(params, grads, sums, lists, **settings)
        for p, total in zip(params, sums, strict=bool(sums)):
            self.state[p]["momentum_buffer"] = total


def _step(params, grads, sums, lists, *, weight_decay, momentum, lr, dampening, nesterov):
    grads = decayed(grads, params, number(weight_decay), lists)
    if momentum:
        _add_to_sums(sums, grads, momentum, dampening, lists)
        grads = lists.add(grads, sums, alpha=momentum) if nesterov else sums
    lists.add_(params, grads, alpha=-number(lr))


def _add_to_sums(sums, grads, momentum, dampening, lists):
    """Add gradients to the decaying sums; the first gradient of a parameter is its sum, in the place of None."""
    old = [i for i, total in enumerate(sums) if total is not None]
    if old:
        held = [sums[i] for i in old]
        lists.mul_(held, momentum)
        lists.add_(held, [grads[i] for i in old], alpha=1 - dampening)
    if len(old) < len(sums):
        for i, total in enumerate(sums):
            if total is None:
                sums[i] = grads[i].detach().clone()


def sgd(
    params, d_p_list, momentum_buffer_list, has_sparse_grad=False, foreach=None, fused=None, grad_scale=None, found_inf=None, *,
    weight_decay, momentum, lr, dampening, nesterov, maximize,
):  # fmt: skip
    """A step of `SGD` as a function.

    Parameters
    ----------
    params, d_p_list : list of Tensor
        The parameters, which change, and their gradients.
    momentum_buffer_list : list of Tensor or None
        The decaying sums, which change; a gradient takes the place of None.
    has_sparse_grad, foreach, fused, grad_scale, found_inf
        Accepted; operators over lists are used anyway.
    weight_decay, momentum, lr, dampening, nesterov, maximize
        As of `SGD`.
    """
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Expected grad_scale and found_inf to be None")
    grads = over_lists.neg(d_p_list) if maximize else d_p_list
    _step(
        params, grads, momentum_buffer_list, over_lists,
        weight_decay=weight_decay, momentum=momentum, lr=lr, dampening=dampening, nesterov=nesterov,
    )  # fmt: skip


def _single_tensor_sgd(
    params, grads, momentum_buffer_list, grad_scale, found_inf, *, weight_decay, momentum, lr, dampening, nesterov, maximize, has_sparse_grad
):
    """`sgd` by the name of PyTorch's loop over parameters."""
    sgd(
        params, grads, momentum_buffer_list, grad_scale=grad_scale, found_inf=found_inf, weight_decay=weight_decay, momentum=momentum, lr=lr,
        dampening=dampening, nesterov=nesterov, maximize=maximize,
    )  # fmt: skip


_multi_tensor_sgd = _single_tensor_sgd
