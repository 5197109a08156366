"""Functions of neural networks: operators of the `nn` module, and functions that choose among operators by their arguments."""

from runtime import _core
from runtime.nn import _activations, _attention, _dropout, _embeddings, _images, _losses, _pooling, _softmax

#: Functions of the package's namespace that are here too.
_SHARED = """
adaptive_avg_pool1d avg_pool1d bilinear celu_ channel_shuffle conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
cosine_similarity hardshrink native_channel_shuffle pairwise_distance pdist pixel_shuffle pixel_unshuffle prelu relu_ rrelu_ selu_ sigmoid tanh
threshold_
""".split()

globals().update(_core.functions_of("nn"))
globals().update({name: _core.functions[name] for name in _SHARED if name in _core.functions})
for _module in _activations, _attention, _dropout, _embeddings, _images, _losses, _pooling, _softmax:
    for _name in _module.__all__:
        _function = getattr(_module, _name)
        globals()[_name] = _function if isinstance(_function, _core.Function) else _core.overridable(_function)

# Pickles name functions by their module: the private ones above have the functions without the wrappers.
for _name, _function in list(globals().items()):
    if isinstance(_function, (_core.Function, _core._OverridableFunction)) and _function.__module__ != "runtime":
        _function.__module__ = __name__
