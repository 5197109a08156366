"""Functions of neural networks: operators of the `nn` module, and functions that choose among operators by their arguments."""

from runtime import _core
from runtime.nn import _attention, _dropout, _embeddings, _losses

globals().update(_core.functions_of("nn"))
globals().update({name: _core.functions[name] for name in ("relu", "relu_", "sigmoid", "tanh") if name in _core.functions})
for _module in _attention, _dropout, _embeddings, _losses:
    globals().update({name: getattr(_module, name) for name in _module.__all__})
globals().update({name: _core.functions[name] for name in ("cosine_similarity", "pairwise_distance", "pdist")})
