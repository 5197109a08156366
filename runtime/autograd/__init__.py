"""Derivatives of programs: `backward`, `grad`, custom functions, hooks, forward mode and checks.

The engine and the nodes are the core's (runtime/core/engine.pxi, graph.pxi); formulas stand in kernels/derivatives.yaml. This package holds
what is written in Python on top; modules that few programs use are imported when they are first asked for.
"""

from runtime._core import enable_grad, inference_mode, no_grad, set_grad_enabled
from runtime.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from runtime.autograd.backward import backward, grad
from runtime.autograd.function import Function, NestedIOFunction

__all__ = [
    "Function",
    "NestedIOFunction",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]

# Name -> the module that has it; None for modules themselves.
_LATER = {
    "GradcheckError": "gradchecks",
    "_unsafe_preserve_version_counter": "scopes",
    "Variable": "variable",
    "gradcheck": "gradchecks",
    "gradgradcheck": "gradchecks",
    "set_multithreading_enabled": "grad_mode",
    "anomaly_mode": None,
    "forward_ad": None,
    "function": None,
    "functional": None,
    "grad_mode": None,
    "graph": None,
    "profiler": None,
    "profiler_util": None,
    "variable": None,
}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'runtime.autograd' has no attribute '{name}'")
    from importlib import import_module

    module = import_module(f"runtime.autograd.{_LATER[name] or name}")
    value = module if _LATER[name] is None else getattr(module, name)
    globals()[name] = value
    return value
