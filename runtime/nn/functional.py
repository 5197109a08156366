"""Functions of neural networks: operators of the `nn` module, and functions that choose among operators by their arguments."""

from runtime import _core
from runtime.nn import activations

globals().update(_core.functions_of("nn"))
globals().update({name: _core.functions[name] for name in ("relu_", "sigmoid", "tanh") if name in _core.functions})
globals().update({name: getattr(activations, name) for name in activations.__all__})
