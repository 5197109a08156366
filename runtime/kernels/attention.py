"""Scaled dot-product attention: the choice of an algorithm, the plain composite, and the fused kernel of the CPU."""

import math

import numpy as np

from runtime._core import _run_loop, ops
from runtime.kernels._arrays import memory, new, read
from runtime.kernels._common import broadcast, scalar_name
from runtime.kernels.losses import in_dtype_of, wide

aten = ops.aten

MATH, FLASH = range(2)

#: Scores that are worth a thread.
_GRAIN = 1 << 14

#: Dtypes in the words of the errors.
_WORDS = {
    "Float": "float", "Double": "double", "Half": "c10::Half", "BFloat16": "c10::BFloat16", "Long": "long int", "Int": "int", "Bool": "bool",
    "Short": "short int", "Char": "signed char", "Byte": "unsigned char", "ComplexFloat": "c10::complex<float>",
    "ComplexDouble": "c10::complex<double>",
}  # fmt: skip


def _word(tensor):
    name = scalar_name(tensor.dtype)
    return _WORDS.get(name, name)


def _check(query, key, value, attn_mask):
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {_word(query)} key.dtype: {_word(key)} "
            f"and value.dtype: {_word(value)} instead."
        )
    if not query.device == key.device == value.device:
        raise RuntimeError(
            f"Expected query, key, and value to have the same device type, but got query.device: {query.device} "
            f"key.device: {key.device} and value.device: {value.device} instead."
        )
    if min(query.dim(), key.dim(), value.dim()) < 2:
        raise RuntimeError(
            f"Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: {query.dim()} key.dim: {key.dim()} "
            f"and value.dim: {value.dim()} instead."
        )
    if attn_mask is not None and scalar_name(attn_mask.dtype) not in ("Bool", "Float") and attn_mask.dtype != query.dtype:
        raise RuntimeError(
            f"Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: {_word(attn_mask)} "
            f"and  query.dtype: {_word(query)} instead."
        )


def _additive(mask, dtype):
    """A mask that is added to scores: minus infinity where a bool mask is False."""
    if mask is None or scalar_name(mask.dtype) != "Bool":
        return mask
    zero, forbidden = (aten.scalar_tensor.default(v, dtype=dtype, device=mask.device) for v in (0.0, -math.inf))
    return aten.where.self(mask, zero, forbidden)


def _scale(query, scale):
    return 1 / math.sqrt(query.shape[-1]) if scale is None and query.shape[-1] else 1.0 if scale is None else scale


def _grouped(query, key, value):
    """Keys and values with each head repeated for the queries that share it."""
    if query.dim() < 3:
        return key, value
    heads = query.shape[-3]
    repeated = []
    for t in key, value:
        if t.shape[-3] == 0 or heads % t.shape[-3]:
            raise RuntimeError("Number of heads in key and value must divide the number of heads in query")
        each = heads // t.shape[-3]
        shape = list(t.shape)
        wide_shape = [*shape[:-2], each, *shape[-2:]]
        spread = aten.expand.default(aten.unsqueeze.default(t, -3), wide_shape)
        repeated.append(aten.reshape.default(spread, (*shape[:-3], heads, *shape[-2:])))
    return repeated


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None, enable_gqa=False):
    _check(query, key, value, attn_mask)
    choice = aten._fused_sdp_choice.default(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    mask = _additive(attn_mask, query.dtype)
    if choice == FLASH:
        flash = aten._scaled_dot_product_flash_attention_for_cpu.default
        return flash(query, key, value, dropout_p, is_causal, attn_mask=mask, scale=scale)[0]
    plain = aten._scaled_dot_product_attention_math.default
    return plain(query, key, value, mask, dropout_p, is_causal, None, scale=scale, enable_gqa=enable_gqa)[0]


def _fused_sdp_choice(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None, enable_gqa=False):
    fits = (
        all(t.dim() == 4 and t.stride(-1) == 1 and t.numel() and t.device.type == "cpu" for t in (query, key, value))
        and scalar_name(query.dtype) in ("Float", "Double", "Half", "BFloat16")
        and dropout_p == 0
        and query.shape[-1] == key.shape[-1] == value.shape[-1]
        and query.shape[0] == key.shape[0] == value.shape[0]
        and key.shape[1] == value.shape[1]
        and (query.shape[1] % key.shape[1] == 0 if enable_gqa else query.shape[1] == key.shape[1])
        and key.shape[2] == value.shape[2]
    )
    if not fits:
        return MATH
    if attn_mask is None:
        return FLASH
    full = *query.shape[:3], key.shape[2]
    shape = tuple(attn_mask.shape)
    broadcasts = len(shape) in (2, 4) and all(a in (1, b) for a, b in zip(shape, full[-len(shape) :], strict=True))
    return FLASH if broadcasts and not attn_mask.requires_grad else MATH


def _scaled_dot_product_attention_math(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, dropout_mask=None, *, scale=None, enable_gqa=False
):
    import runtime

    origin = query
    if is_causal and attn_mask is not None:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if not (query.dtype.is_floating_point or query.dtype.is_complex):
        raise RuntimeError(f"expected scalar type Float but found {scalar_name(query.dtype)}")
    if query.dtype.is_complex:
        raise NotImplementedError(f"\"softmax_lastdim_kernel_impl\" not implemented for '{scalar_name(query.dtype)}'")
    query, key, value = wide(query, key, value)
    factor = _scale(query, scale)
    # The square root of the factor on both sides keeps products of float16 in range.
    root = math.sqrt(abs(factor))
    if is_causal:
        shape = query.shape[-2], key.shape[-2]
        causal = aten.tril.default(aten.ones.default(shape, dtype=runtime.bool, device=query.device))
        attn_mask = _additive(causal, query.dtype)
    if enable_gqa:
        key, value = _grouped(query, key, value)
    turned = aten.transpose.int(key, -2, -1)
    scores = aten.matmul.default(aten.mul.Scalar(query, math.copysign(root, factor)), aten.mul.Scalar(turned, root))
    if attn_mask is not None:
        scores = aten.add.Tensor(scores, attn_mask)
    weights = aten._safe_softmax.default(scores, -1)
    if dropout_p > 0:
        if dropout_mask is not None:
            dropped = aten.masked_fill.Scalar(weights, aten.logical_not.default(dropout_mask), 0.0)
            result = aten.matmul.default(dropped, aten.div.Scalar(value, 1 - dropout_p))
            return in_dtype_of(origin, result), in_dtype_of(origin, dropped)
        weights = aten.dropout.default(weights, dropout_p, True)
    return in_dtype_of(origin, aten.matmul.default(weights, value)), in_dtype_of(origin, weights)


NAME = "scaled_dot_product_attention_flash_attention"


def _scaled_dot_product_flash_attention_for_cpu(query, key, value, dropout_p=0.0, is_causal=False, *, attn_mask=None, scale=None):
    name = scalar_name(query.dtype)
    if name not in ("Float", "Double", "Half", "BFloat16"):
        raise RuntimeError(f"{NAME}: Expected data type in FP32, FP64, BF16, FP16, but got {name} instead.")
    if not query.dim() == key.dim() == value.dim() == 4:
        raise RuntimeError(f"{NAME}: Accept only 4 dims inputs shape of {{B, H, T, K}}")
    if dropout_p != 0:
        raise RuntimeError(f"{NAME}: Currently do not support dropout > 0")
    if not query.shape[3] == key.shape[3] == value.shape[3]:
        raise RuntimeError(f"{NAME}: Q/K/V should have the same head size")
    if attn_mask is not None and scalar_name(attn_mask.dtype) not in (name, "Float"):
        raise RuntimeError(f"{NAME}: Attention mask is the same data type as query")
    if attn_mask is not None and attn_mask.dim() not in (2, 4):
        raise RuntimeError(f"{NAME}: Attention mask dim in {{2, 4}}")
    batch, heads, length, width = query.shape
    groups = key.shape[1]
    if key.shape[0] != batch or value.shape[0] != batch or groups == 0 or heads % groups or value.shape[1:3] != key.shape[1:3]:
        raise RuntimeError(f"{NAME}: shapes of query, key and value do not agree: {[list(t.shape) for t in (query, key, value)]}")
    import runtime

    sums_dtype = runtime.float64 if name == "Double" else runtime.float32
    if query.device.type == "meta":
        sums = aten.new_empty.default(query, (batch, length, heads), dtype=sums_dtype)
        return aten.new_empty.default(query, query.shape), aten.transpose.int(sums, 1, 2)
    keys = key.shape[2]
    bias = None
    if attn_mask is not None:
        broadcast(attn_mask.shape, (batch, heads, length, keys))
        bias = np.broadcast_to(read(attn_mask), (batch, heads, length, keys))
    q, k, v = wide(query, key, value)
    if groups != heads:
        k, v = _grouped(q, k, v)
    count = batch * heads
    q, k, v = (aten.reshape.default(t, (count, t.shape[2], width)) for t in (aten.mul.Scalar(q, _scale(query, scale)), k, v))
    turned = aten.transpose.int(k, 1, 2)
    # A few heads at a time: their scores should stay in a cache.
    step = max(1, (1 << 20) // max(1, length * keys))
    parts, sums = [], np.empty((count, length), read(q).dtype)
    for first in range(0, count, step):
        last = min(first + step, count)
        scores = aten.bmm.default(*(aten.slice.Tensor(t, 0, first, last) for t in (q, turned)))
        weights = memory(scores)
        if bias is not None:
            weights += bias[np.divmod(np.arange(first, last), heads)]
        rows = (last - first) * length
        _run_loop("attention_weights", weights.dtype, rows, _GRAIN // (keys + 1) + 1, weights, sums[first:last], keys, length, int(is_causal))
        parts.append(aten.bmm.default(scores, aten.slice.Tensor(v, 0, first, last)))
    result = parts[0] if len(parts) == 1 else aten.cat.default(parts) if parts else aten.empty_like.default(q)
    sums = new(np.ascontiguousarray(sums.reshape(batch, heads, length).transpose(0, 2, 1)), sums_dtype)
    return in_dtype_of(query, aten.reshape.default(result, query.shape)), aten.transpose.int(sums, 1, 2)


# ---- kernels of CUDA: their shapes, for Meta


def _attention_sizes(query, heads_at):
    shape = list(query.shape)
    return shape[0], shape[heads_at], shape[3 - heads_at]


def _flash_results(query, sums_shape, extra=()):
    import runtime

    sums = aten.new_empty.default(query, sums_shape, dtype=runtime.float32)
    state = aten.new_empty.default(query, (2,), dtype=runtime.uint64)
    unused = aten.new_empty.default(query, (), dtype=runtime.uint64)
    return aten.empty_like.default(query), sums, *extra, state, unused, aten.new_empty.default(query, (0,))


def _flash_attention_forward(
    query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, dropout_p, is_causal, return_debug_mask, *, scale=None, window_size_left=None,
    window_size_right=None, seqused_k=None, alibi_slopes=None, block_table=None, num_splits=None,
):  # fmt: skip
    if cum_seq_q is None:
        batch, heads, length = _attention_sizes(query, 2)
        return _flash_results(query, (batch, heads, length))
    return _flash_results(query, (query.shape[1], query.shape[0]))


def _efficient_attention_forward(
    query, key, value, bias, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p, custom_mask_type, compute_log_sumexp=False,
    *, scale=None, seqlen_k=None, window_size=None,
):  # fmt: skip
    import runtime

    batch, heads, length = _attention_sizes(query, 2)
    width = value.shape[-1]
    if cu_seqlens_q is not None:
        batch, length = cu_seqlens_q.numel() - 1, max_seqlen_q
    # Rows of the sums are aligned to the tiles of the kernel.
    rows = -(-length // 32) * 32 if compute_log_sumexp else 0
    seed, offset = (aten.new_empty.default(query, (), dtype=runtime.int64) for _ in range(2))
    sums = aten.new_empty.default(query, (batch, heads, rows), dtype=runtime.float32)
    return aten.new_empty.default(query, (*query.shape[:3], width)), sums, seed, offset, length, key.shape[1]


def _scaled_dot_product_flash_attention(query, key, value, dropout_p=0.0, is_causal=False, return_debug_mask=False, *, scale=None):
    batch, heads, length = _attention_sizes(query, 1)
    results = _flash_results(query, (batch, heads, length))
    none = (aten.new_empty.default(query, (0,)), aten.new_empty.default(query, (0,)))
    return *results[:2], *none, length, key.shape[2], *results[2:]


def _scaled_dot_product_efficient_attention(query, key, value, attn_bias, compute_log_sumexp, dropout_p=0.0, is_causal=False, *, scale=None):
    import runtime

    batch, heads, length = _attention_sizes(query, 1)
    rows = -(-length // 32) * 32 if compute_log_sumexp else 0
    seed, offset = (aten.new_empty.default(query, (), dtype=runtime.int64) for _ in range(2))
    sums = aten.new_empty.default(query, (batch, heads, rows), dtype=runtime.float32)
    result = aten.new_empty.default(query, (batch, length, heads, value.shape[-1]))
    return aten.transpose.int(result, 1, 2), sums, seed, offset
