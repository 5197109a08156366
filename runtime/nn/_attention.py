"""Multi-head attention: projections of queries, keys and values, attention in each head, and a projection of what the heads say together."""

import math
import warnings

from runtime import _core

__all__ = ["multi_head_attention_forward"]

aten = _core.ops.aten


def _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether there is a batch dimension; AssertionError where the arguments disagree on it."""
    batched = query.dim() == 3
    if query.dim() not in (2, 3):
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor")
    kind = f"For {'batched' if batched else 'unbatched'} ({query.dim()}-D) `query`, expected"
    dim = query.dim()
    if key.dim() != dim or value.dim() != dim:
        raise AssertionError(f"{kind} `key` and `value` to be {dim}-D but found {key.dim()}-D and {value.dim()}-D tensors respectively")
    if key_padding_mask is not None and key_padding_mask.dim() != dim - 1:
        raise AssertionError(f"{kind} `key_padding_mask` to be `None` or {dim - 1}-D but found {key_padding_mask.dim()}-D tensor instead")
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(f"{kind} `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor instead")
        expected = (num_heads, query.shape[0], key.shape[0])
        if not batched and attn_mask.dim() == 3 and tuple(attn_mask.shape) != expected:
            raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}")
    return batched


def _additive(mask, name, dtype, other=None):
    """A mask that is added to scores: minus infinity where a bool mask is True."""
    if mask is None:
        return None
    floating = mask.is_floating_point()
    if not floating and str(mask.dtype) != "torch.bool":
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and other.dtype != mask.dtype:
        warnings.warn(f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both instead.", stacklevel=3)
    if floating:
        return mask
    return aten.zeros_like.default(mask, dtype=dtype).masked_fill_(mask, -math.inf)


def _project_packed(query, key, value, weight, bias):
    """The three projections whose weights are stacked; inputs that are the same tensor are projected at once."""
    width = query.size(-1)
    if key is value and query is key:
        return aten.linear.default(query, weight, bias).split(width, -1)
    weights = weight.split(weight.size(0) // 3)
    biases = (None,) * 3 if bias is None else bias.split(bias.size(0) // 3)
    return [aten.linear.default(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]


def _project(inputs, weights, bias):
    width = inputs[0].size(-1)
    biases = (None,) * 3 if bias is None else bias.split(bias.size(0) // 3)
    for name, x, w, b in zip(("query", "key", "value"), inputs, weights, biases, strict=True):
        if tuple(w.shape) != (width, x.size(-1)):
            raise AssertionError(f"expecting {name} weights shape of {(width, x.size(-1))}, but got {w.shape}")
        if b is not None and tuple(b.shape) != (width,):
            raise AssertionError(f"expecting {name} bias shape of {(width,)}, but got {b.shape}")
    return [aten.linear.default(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]


def _one_more(mask):
    """The mask with a column of zeros for a key that is appended."""
    return None if mask is None else aten.cat.default([mask, aten.zeros.default((*mask.shape[:-1], 1), dtype=mask.dtype)], -1)


def _heads(x, static, name, batch_heads, head_dim):
    """(length, batch, width) as (batch * heads, length, head_dim)."""
    if static is None:
        return x.reshape(x.shape[0], batch_heads, head_dim).transpose(0, 1)
    if static.size(0) != batch_heads:
        raise AssertionError(f"expecting {name}.size(0) of {batch_heads}, but got {static.size(0)}")
    if static.size(2) != head_dim:
        raise AssertionError(f"expecting {name}.size(2) of {head_dim}, but got {static.size(2)}")
    return static


def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """Attention of several heads between projections.

    Parameters
    ----------
    query, key, value : Tensor
        (length, batch, width), or without the batch.
    embed_dim_to_check, num_heads : int
        The width of queries, and into how many heads it is split.
    in_proj_weight, in_proj_bias : Tensor or None
        The stacked projections; with `use_separate_proj_weight` the three `*_proj_weight` instead.
    bias_k, bias_v : Tensor or None
        A key and a value to append.
    add_zero_attn : bool
        Whether a key and a value of zeros are appended.
    dropout_p : float
        The probability with which weights are dropped in training.
    out_proj_weight, out_proj_bias : Tensor
        The projection of the result.
    key_padding_mask, attn_mask : Tensor, optional
        Bool masks that are True where attention is forbidden, or floating ones that are added to scores.
    need_weights, average_attn_weights : bool
        Whether attention weights are returned, and whether as their mean over heads.
    static_k, static_v : Tensor, optional
        Keys and values of the heads in place of projected ones.
    is_causal : bool
        Says that `attn_mask` is the causal mask.

    Returns
    -------
    tuple
        The result, shaped as `query`, and the weights (batch, length, source) or None.
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        # One tensor for all three stays one tensor: that is how self-attention is recognized.
        same = key is value, query is key
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        value = key if same[0] else value
        query = key if same[1] else query
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    source = key.shape[0]
    key_padding_mask = _additive(key_padding_mask, "key_padding_mask", query.dtype, attn_mask)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = _additive(attn_mask, "attn_mask", query.dtype)
        is_causal = is_causal and key_padding_mask is None
    if width != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}")
    head_dim = width // num_heads
    if head_dim * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}")
        for name, w in ("q", q_proj_weight), ("k", k_proj_weight), ("v", v_proj_weight):
            if w is None:
                raise AssertionError(f"use_separate_proj_weight is True but {name}_proj_weight is None")
        q, k, v = _project((query, key, value), (q_proj_weight, k_proj_weight, v_proj_weight), in_proj_bias)
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _project_packed(query, key, value, in_proj_weight, in_proj_bias)
    if attn_mask is not None:
        shape = (length, source) if attn_mask.dim() == 2 else (batch * num_heads, length, source)
        if tuple(attn_mask.shape) != shape:
            raise RuntimeError(f"The shape of the {attn_mask.dim()}D attn_mask is {attn_mask.shape}, but should be {shape}.")
        attn_mask = attn_mask.unsqueeze(0) if attn_mask.dim() == 2 else attn_mask
    if (bias_k is None) != (bias_v is None):
        raise AssertionError("bias_k is set but bias_v is None" if bias_v is None else "bias_v is set but bias_k is None")
    if bias_k is not None:
        if static_k is not None or static_v is not None:
            raise AssertionError(f"bias cannot be added to static {'key' if static_k is not None else 'value'}.")
        k, v = aten.cat.default([k, bias_k.repeat(1, batch, 1)]), aten.cat.default([v, bias_v.repeat(1, batch, 1)])
        attn_mask, key_padding_mask = _one_more(attn_mask), _one_more(key_padding_mask)
    q = _heads(q, None, "", batch * num_heads, head_dim)
    k = _heads(k, static_k, "static_k", batch * num_heads, head_dim)
    v = _heads(v, static_v, "static_v", batch * num_heads, head_dim)
    if add_zero_attn:
        zeros = aten.zeros.default((batch * num_heads, 1, head_dim), dtype=k.dtype, device=k.device)
        k, v = aten.cat.default([k, zeros], 1), aten.cat.default([v, zeros], 1)
        attn_mask, key_padding_mask = _one_more(attn_mask), _one_more(key_padding_mask)
    source = k.size(1)
    if key_padding_mask is not None:
        for d, expected in enumerate((batch, source)):
            if key_padding_mask.shape[d] != expected:
                raise AssertionError(f"Expected key_padded_mask.shape[{d}] to be {expected}, but got {key_padding_mask.shape[d]}")
        padding = key_padding_mask.reshape(batch, 1, 1, source).expand(-1, num_heads, -1, -1).reshape(batch * num_heads, 1, source)
        attn_mask = padding if attn_mask is None else attn_mask + padding
    dropout_p = dropout_p if training else 0.0
    if not need_weights:
        if attn_mask is not None:
            one = attn_mask.size(0) == 1 and attn_mask.dim() == 3
            attn_mask = attn_mask.unsqueeze(0) if one else attn_mask.reshape(batch, num_heads, -1, source)
        q, k, v = (x.reshape(batch, num_heads, -1, head_dim) for x in (q, k, v))
        result = aten.scaled_dot_product_attention.default(q, k, v, attn_mask, dropout_p, is_causal)
        result = aten.linear.default(result.permute(2, 0, 1, 3).reshape(batch * length, width), out_proj_weight, out_proj_bias)
        result = result.reshape(length, batch, result.size(1))
        return (result if batched else result.squeeze(1)), None
    if is_causal and attn_mask is None:
        raise AssertionError("is_causal needs attn_mask where weights are returned")
    q, k = q * math.sqrt(1 / q.size(-1)), k.transpose(1, 2)
    weights = aten.softmax.int(q.bmm(k) if attn_mask is None else aten.baddbmm.default(attn_mask, q, k), -1)
    if dropout_p > 0:
        weights = aten.dropout.default(weights, dropout_p, True)
    result = aten.linear.default(weights.bmm(v).transpose(0, 1).reshape(length * batch, width), out_proj_weight, out_proj_bias)
    result = result.reshape(length, batch, result.size(1))
    weights = weights.reshape(batch, num_heads, length, source)
    weights = weights.mean(1) if average_attn_weights else weights
    return (result, weights) if batched else (result.squeeze(1), weights.squeeze(0))
