"""Functions of neural networks: operators of the `nn` module, and functions that choose among operators by their arguments."""

from runtime import _core

globals().update(_core.functions_of("nn"))
globals().update({name: _core.functions[name] for name in ("relu", "relu_", "sigmoid", "tanh") if name in _core.functions})
