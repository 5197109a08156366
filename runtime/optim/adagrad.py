"""Adagrad (Duchi et al., 2011)."""

import runtime
from runtime.optim._update import (
    Update,
    as_real,
    check_fused,
    check_lr,
    check_not_negative,
    count,
    counted,
    decayed,
    for_each,
    number,
)

__all__ = ["Adagrad"]


class Adagrad(Update):
    """Parameters move against their gradients, over the root of the sum of all squares so far.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`.
    lr : float or Tensor
        The learning rate.
    lr_decay : float
        How fast it falls with the number of steps.
    weight_decay : float
        How much of a parameter is added to its gradient.
    initial_accumulator_value : float
        With what the sums begin.
    eps : float
        Added to roots.
    foreach, fused : bool, optional
        Accepted; operators over lists are used anyway.
    maximize : bool
        Whether parameters move along their gradients.
    differentiable : bool
        Whether autograd records the step.
    """

    _refusal = None

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *, maximize=False,
        differentiable=False, fused=None,
    ):  # fmt: skip
        check_lr(lr)
        check_not_negative(lr_decay=lr_decay, weight_decay=weight_decay, initial_accumulator_value=initial_accumulator_value)
        check_not_negative(epsilon=eps)
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay, "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)
        for group in self.param_groups:
            self._states(group["params"], self._first_state)

    def _first_state(self, p):
        first = self.defaults["initial_accumulator_value"]
        return {
            "step": count(),
            "sum": runtime.full_like(p, complex(first, first) if p.is_complex() else first, memory_format=runtime.preserve_format),
        }

    def _update(self, group, params, grads, lists):
        states = self._states(params, self._first_state)
        steps = counted(states, lists)
        lr, lr_decay = number(group["lr"]), group["lr_decay"]
        if any(grad.is_sparse for grad in grads):
            for p, grad, state, step in zip(params, grads, states, steps, strict=True):
                if grad.is_sparse:
                    _change_rows(group, p, grad.coalesce(), state["sum"], -lr / (1 + (step - 1) * lr_decay))
            rest = [i for i, grad in enumerate(grads) if not grad.is_sparse]
            if not rest:
                return
            params, grads, states, steps = ([values[i] for i in rest] for values in (params, grads, states, steps))
        grads = decayed(grads, params, group["weight_decay"], lists)
        params, grads, sums = as_real(params, grads, [state["sum"] for state in states])
        lists.addcmul_(sums, grads, grads, value=1)
        roots = lists.add(lists.sqrt(sums), group["eps"])
        lists.addcdiv_(params, grads, roots, for_each(steps, lambda step: -lr / (1 + (step - 1) * lr_decay)))


def _change_rows(group, p, grad, squares, factor):
    """The step of a parameter where its gradient is sparse: what the gradient lacks stays."""
    if group["weight_decay"]:
        raise RuntimeError("weight_decay option is not compatible with sparse gradients")
    indices, values = grad._indices(), grad._values()

    def spread(changes):
        return runtime.sparse_coo_tensor(indices, changes, grad.shape, is_coalesced=True, check_invariants=False)

    squares.add_(spread(values * values))
    roots = squares.sparse_mask(grad)._values().sqrt_().add_(group["eps"])
    p.add_(spread(values / roots), alpha=factor)
