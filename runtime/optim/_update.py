"""What the optimizers share: the loop over groups, state that begins with zeros, and operators over lists of tensors.

A step works on all parameters of a group at once, by operators over lists (`_foreach_*`): few calls, whatever the number of parameters.
With ``differentiable=True`` the same functions are loops over tensors, which autograd can follow.
"""

from types import SimpleNamespace

import runtime
from runtime._core import Tensor, enable_grad, no_grad
from runtime.optim.optimizer import Optimizer

_NAMES = (
    "abs", "add", "add_", "addcmul", "addcmul_", "clone", "copy_", "div", "div_", "lerp_", "mul", "mul_", "neg", "sign", "sqrt", "sqrt_", "sub",
)  # fmt: skip


def _over_lists():
    functions = {name: getattr(runtime, f"_foreach_{name}") for name in _NAMES}
    return SimpleNamespace(**functions, addcdiv_=runtime._foreach_addcdiv_, maximum_=runtime._foreach_maximum_)


def _loop(function):
    """A function of tensors as one of lists; arguments that are no lists go to every tensor."""

    def call(tensors, *arguments, **options):
        return [function(t, *(a[i] if isinstance(a, (list, tuple)) else a for a in arguments), **options) for i, t in enumerate(tensors)]

    return call


def _tensor_by_tensor():
    functions = {name: _loop(getattr(Tensor, name)) for name in _NAMES}
    return SimpleNamespace(
        **functions,
        # The next step changes the state that the divisions would save.
        addcdiv_=_loop(lambda t, a, b, value: t.addcdiv_(a.clone(), b.clone(), value=value)),
        maximum_=_loop(lambda t, other: t.copy_(runtime.maximum(t.clone(), other))),
    )


over_lists = _over_lists()
tensor_by_tensor = _tensor_by_tensor()


class Stepping(Optimizer):
    """An optimizer whose step evaluates the closure, if there is one, and then changes the parameters; subclasses define `_step`."""

    def step(self, closure=None):
        """Change the parameters by their gradients.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and gradients anew.

        Returns
        -------
        object
            What the closure returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._step()
        return loss

    def _step(self):
        raise NotImplementedError


class Update(Stepping):
    """An optimizer whose step is an update of each group; subclasses define `_update`."""

    # What is said of sparse gradients; None: they are taken.
    _refusal = "{} does not support sparse gradients"

    def _step(self):
        differentiable = self.defaults["differentiable"]
        lists = tensor_by_tensor if differentiable else over_lists
        with enable_grad() if differentiable else no_grad():
            for group in self.param_groups:
                params, grads = [], []
                for p in group["params"]:
                    grad = p.grad
                    if grad is not None:
                        if grad.is_sparse and self._refusal is not None:
                            raise RuntimeError(self._refusal.format(type(self).__name__))
                        params.append(p)
                        grads.append(grad)
                if params:
                    self._update(group, params, lists.neg(grads) if group["maximize"] else grads, lists)

    def _update(self, group, params, grads, lists):
        """Change the parameters of a group that have gradients.

        Parameters
        ----------
        group : dict
            The settings.
        params, grads : list of Tensor
        lists : namespace
            Functions of lists of tensors.
        """
        raise NotImplementedError

    def _states(self, params, make):
        """The state of each parameter; `make` gives that of a parameter that has none."""
        states, held = [], self.state
        for p in params:
            state = held[p]
            if not state:
                state.update(make(p))
            states.append(state)
        return states

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)
            for p in group["params"]:
                held = self.state.get(p, {})
                for name in "step", "mu_product", "eta", "mu":
                    # Old checkpoints have numbers there.
                    if name in held and not isinstance(held[name], Tensor):
                        held[name] = runtime.tensor(float(held[name]), dtype=count_dtype())


def count_dtype():
    """The dtype of counts of steps."""
    return runtime.float64 if runtime.get_default_dtype() == runtime.float64 else runtime.float32


def count(value=0.0):
    """A number that belongs to a parameter's state, as a tensor."""
    return runtime.tensor(value, dtype=count_dtype())


def zeros(p):
    """Zeros like a parameter."""
    return runtime.zeros_like(p, memory_format=runtime.preserve_format)


def number(value):
    """A setting that may be a tensor of one element, as a number."""
    return value.item() if isinstance(value, Tensor) else value


def counted(states, lists):
    """Count one step for each state, and give the counts back."""
    steps = [state["step"] for state in states]
    lists.add_(steps, 1)
    return [step.item() for step in steps]


def shared(values):
    """Numbers of all parameters as one where they agree: operators take one number faster than a list."""
    first = values[0]
    return first if all(value == first for value in values) else values


def for_each(steps, function):
    """A number for each parameter that follows from its count of steps, as one where the counts agree."""
    first = steps[0]
    return function(first) if all(step == first for step in steps) else [function(step) for step in steps]


def decayed(grads, params, weight_decay, lists):
    """Gradients with the decay of weights."""
    return lists.add(grads, params, alpha=weight_decay) if weight_decay else grads


def as_real(params, *others):
    """Lists in which complex tensors are views of their real and imaginary parts."""
    if not any(p.is_complex() for p in params):
        return params, *others
    return tuple([runtime.view_as_real(t) if t.is_complex() else t for t in tensors] for tensors in (params, *others))


def check_lr(lr):
    """Refuse a learning rate that is negative, or a tensor of several elements."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_not_negative(**settings):
    """Refuse negative settings."""
    for name, value in settings.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {name} value: {value}")


def check_betas(betas):
    """Refuse weights of running means outside [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def check_fused(fused, foreach, differentiable):
    """Refuse choices of implementation that exclude each other; otherwise they have no effect."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
