"""Helpers for training: clipping of gradients, parameters as one vector, packed sequences (`rnn`), weights that are
computed before each call, and calls with other parameters (`stateless`)."""

from runtime.nn.utils import rnn as rnn
from runtime.nn.utils import stateless as stateless
from runtime.nn.utils.clip_grad import clip_grad_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from runtime.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from runtime.nn.utils.normalized_weights import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector",
    "remove_spectral_norm", "remove_weight_norm", "spectral_norm", "vector_to_parameters", "weight_norm",
]  # fmt: skip
