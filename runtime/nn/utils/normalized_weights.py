"""Modules whose weight is computed before each call: `weight_norm` and `spectral_norm`, with forward hooks.

The weight is no parameter any more but an attribute, made of parameters that stand beside it. Deprecated in PyTorch, but older programs and
checkpoints have the parameters under these names.
"""

import warnings

import runtime
from runtime.nn.functional import normalize
from runtime.nn.modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from runtime.nn.parameter import Parameter

__all__ = ["SpectralNorm", "WeightNorm", "remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


def _hook(module, kind, name):
    """The number of the hook of a kind for a parameter, and the hook; (None, None) without one."""
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            return number, hook
    return None, None


def _check_applies(module, kind, name, function):
    if _hook(module, kind, name)[1] is not None:
        raise RuntimeError(f"Cannot register two {function} hooks on the same parameter {name}")


def _remove(module, kind, name, function):
    number, hook = _hook(module, kind, name)
    if hook is None:
        raise ValueError(f"{function} of '{name}' not found in {module}")
    hook.remove(module)
    del module._forward_pre_hooks[number]
    return module


class WeightNorm:
    """The hook of `weight_norm`: computes the weight of a magnitude ``name_g`` and a direction ``name_v``."""

    def __init__(self, name, dim):
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module):
        """The weight."""
        return runtime._weight_norm(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    @staticmethod
    def apply(module, name, dim):
        """Split a parameter of a module into magnitude and direction; returns the hook."""
        _check_applies(module, WeightNorm, name, "weight_norm")
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        del module._parameters[name]
        module.register_parameter(name + "_g", Parameter(runtime.norm_except_dim(weight, 2, hook.dim).data))
        module.register_parameter(name + "_v", Parameter(weight.data))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module):
        """Make the weight a parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[self.name + "_g"], module._parameters[self.name + "_v"]
        setattr(module, self.name, Parameter(weight.data))

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module, name="weight", dim=0):
    """Split a parameter of a module into its magnitude and its direction, which are trained instead.

    Parameters
    ----------
    module : Module
    name : str
    dim : int or None
        The dimension along which there is a norm for each index; None: one norm of all.

    Returns
    -------
    Module
        The module.
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.", FutureWarning, stacklevel=2
    )
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module, name="weight"):
    """Undo `weight_norm`. Returns the module."""
    return _remove(module, WeightNorm, name, "weight_norm")


class SpectralNorm:
    """The hook of `spectral_norm`: divides the weight ``name_orig`` by its largest singular value.

    That is estimated by power iteration, whose vectors are the buffers ``name_u`` and ``name_v``.
    """

    def __init__(self, name="weight", n_power_iterations=1, dim=0, eps=1e-12):
        if n_power_iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def reshape_weight_to_matrix(self, weight):
        """The weight as a matrix, whose rows are along `dim`."""
        return weight.movedim(self.dim, 0).flatten(1) if weight.dim() > 1 else weight.reshape(weight.size(0), -1)

    def compute_weight(self, module, do_power_iteration):
        """The weight; the buffers change if the iteration goes on."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with runtime.no_grad():
                for _ in range(self.n_power_iterations):
                    # In place: whoever shares the buffers goes on from here too.
                    v.copy_(normalize(runtime.mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(normalize(runtime.mv(matrix, v), dim=0, eps=self.eps))
                # The history keeps these; the next iteration writes to the buffers.
                u, v = u.clone(), v.clone()
        return weight / runtime.dot(u, runtime.mv(matrix, v))

    @staticmethod
    def apply(module, name, n_power_iterations, dim, eps):
        """Let a parameter of a module be divided by its largest singular value; returns the hook."""
        _check_applies(module, SpectralNorm, name, "spectral_norm")
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        with runtime.no_grad():
            height, width = hook.reshape_weight_to_matrix(weight).size()
            u = normalize(weight.new_empty(height).normal_(0, 1), dim=0, eps=eps)
            v = normalize(weight.new_empty(width).normal_(0, 1), dim=0, eps=eps)
        del module._parameters[name]
        module.register_parameter(name + "_orig", weight)
        setattr(module, name, weight.data)  # until the first call; no parameter, so that it is not in the state dict
        module.register_buffer(name + "_u", u)
        module.register_buffer(name + "_v", v)
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module):
        """Make the weight, as it is now, a parameter again."""
        with runtime.no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Let a parameter of a module be divided by its largest singular value before each call.

    Parameters
    ----------
    module : Module
    name : str
    n_power_iterations : int
        Steps of the estimate in each call while training.
    eps : float
        The least norm that vectors are divided by.
    dim : int, optional
        The dimension of outputs; by default 1 for transposed convolutions and 0 for others.

    Returns
    -------
    Module
        The module.
    """
    if dim is None:
        dim = 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0
    SpectralNorm.apply(module, name, n_power_iterations, dim, eps)
    return module


def remove_spectral_norm(module, name="weight"):
    """Undo `spectral_norm`. Returns the module."""
    return _remove(module, SpectralNorm, name, "spectral_norm")
