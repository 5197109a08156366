"""Functions of neural networks: operators of the `nn` module, and functions that choose among operators by their arguments."""

from runtime import _core
from runtime.nn import _images, _pooling

globals().update(_core.functions_of("nn"))
globals().update({name: _core.functions[name] for name in ("relu", "relu_", "sigmoid", "tanh") if name in _core.functions})
globals().update({name: getattr(module, name) for module in (_images, _pooling) for name in module.__all__})
for _name in (
    "adaptive_avg_pool1d", "avg_pool1d", "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle",
):  # fmt: skip
    if _name in _core.functions:
        globals()[_name] = _core.functions[_name]
