"""Derivatives of programs: `backward`, `grad`, custom functions, hooks, forward mode and checks.

The engine and the nodes are the core's (runtime/core/engine.pxi, graph.pxi); formulas stand in kernels/derivatives.yaml. This package holds
what is written in Python on top.
"""

from runtime._core import enable_grad, inference_mode, no_grad, set_grad_enabled
from runtime.autograd.backward import backward, grad
from runtime.autograd.function import Function

__all__ = ["Function", "backward", "enable_grad", "grad", "inference_mode", "no_grad", "set_grad_enabled"]
