"""Helpers for training: clipping of gradients, parameters as one vector, packed sequences (`rnn`), calls with other parameters
(`stateless`), and weights in other terms (`weight_norm`, `spectral_norm`)."""

from runtime.nn.utils import rnn as rnn
from runtime.nn.utils import stateless as stateless
from runtime.nn.utils.clip_grad import clip_grad_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from runtime.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from runtime.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights, fuse_linear_bn_eval, fuse_linear_bn_weights
from runtime.nn.utils.init import skip_init
from runtime.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from runtime.nn.utils.weight_norm import remove_weight_norm, weight_norm

__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "fuse_conv_bn_eval", "fuse_conv_bn_weights",
    "fuse_linear_bn_eval", "fuse_linear_bn_weights", "get_total_norm", "parameters_to_vector", "remove_spectral_norm",
    "remove_weight_norm", "skip_init", "spectral_norm", "vector_to_parameters", "weight_norm",
]  # fmt: skip
