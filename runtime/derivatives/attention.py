"""Gradients of attention: those of the matrix products and of the softmax between them, whose scores are computed again."""

import math

from runtime._core import ops

aten = ops.aten


def attention_gradients(grad, query, key, value, is_causal, attn_mask, scale, output_mask):
    """The gradients of queries, keys and values, (batch, heads, length, width); several queries' heads may share those of keys and values."""
    heads, groups = query.shape[1], key.shape[1]
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    dtype = query.dtype
    if dtype.itemsize == 2:
        grad, query, key, value = (t.float() for t in (grad, query, key, value))
    keys, values = (t if groups == heads else t.repeat_interleave(heads // groups, 1) for t in (key, value))
    scores = query @ keys.mT * factor
    if attn_mask is not None:
        scores = scores + attn_mask
    if is_causal:
        scores = scores + aten.full.default(scores.shape[-2:], -math.inf, dtype=scores.dtype, device=scores.device).triu(1)
    weights = aten._safe_softmax.default(scores, -1)
    g_query = g_key = g_value = None
    if output_mask[2]:
        g_value = _per_group(weights.mT @ grad, groups)
    if output_mask[0] or output_mask[1]:
        g_weights = grad @ values.mT
        g_scores = aten._softmax_backward_data.default(g_weights, weights, -1, weights.dtype) * factor
        g_query = g_scores @ keys if output_mask[0] else None
        g_key = _per_group(g_scores.mT @ query, groups) if output_mask[1] else None
    return g_query, g_key, g_value


def _per_group(grad, groups):
    """Gradients of heads summed over the queries' heads that share one."""
    batch, heads, *shape = grad.shape
    return grad if heads == groups else grad.reshape(batch, groups, heads // groups, *shape).sum(2)
