"""SparseAdam: Adam for gradients that have some rows only."""

import math

import runtime
from runtime._core import Tensor, no_grad
from runtime.optim._update import Stepping, number, zeros

__all__ = ["SparseAdam"]


class SparseAdam(Stepping):
    """Parameters move against running means of their gradients; both change only where a sparse gradient has values.

    Parameters
    ----------
    params : iterable
        As of `Optimizer`; dense and real.
    lr : float or Tensor
        The learning rate.
    betas : tuple of float
        The weights of the running means of gradients and of their squares.
    eps : float
        Added to roots.
    maximize : bool
        Whether parameters move along their gradients.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        for kind, demand, refused in (
            ("Sparse", "SparseAdam requires dense parameter tensors", lambda p: p.is_sparse),
            ("Complex", "SparseAdam does not support complex parameters", lambda p: p.is_complex()),
        ):
            places = [[i, j] for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"]) if refused(p)]
            if places:
                raise ValueError(f"{kind} params at indices {places}: {demand}")

    def _step(self):
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._change(group, p, p.grad)

    def _change(self, group, p, grad):
        if not grad.is_sparse:
            raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        state = self.state[p]
        if not state:
            state.update(step=0, exp_avg=zeros(p), exp_avg_sq=zeros(p))
        state["step"] += 1
        grad = (-grad if group["maximize"] else grad).coalesce()
        indices, values = grad._indices(), grad._values()
        if not values.numel():
            return

        def spread(changes):
            return runtime.sparse_coo_tensor(indices, changes, grad.shape, is_coalesced=True, check_invariants=False)

        means = []
        for name, beta, new in (("exp_avg", group["betas"][0], values), ("exp_avg_sq", group["betas"][1], values * values)):
            old = state[name].sparse_mask(grad)._values()
            change = (new - old).mul_(1 - beta)
            state[name].add_(spread(change))
            means.append(old.add_(change))
        first, second = (1 - beta ** state["step"] for beta in group["betas"])
        size = number(group["lr"]) * math.sqrt(second) / first
        p.add_(spread(means[0].div_(means[1].sqrt_().add_(group["eps"])).mul_(-size)))
