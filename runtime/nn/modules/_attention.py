"""Attention of several heads as a layer."""

import runtime
from runtime.nn import functional as F
from runtime.nn._attention import _additive
from runtime.nn.init import constant_, xavier_normal_, xavier_uniform_
from runtime.nn.modules._layer import parameter
from runtime.nn.modules.linear import NonDynamicallyQuantizableLinear
from runtime.nn.modules.module import Module


class MultiheadAttention(Module):
    """Attention of several heads between linear projections.

    Parameters
    ----------
    embed_dim, num_heads : int
        The width of queries and results, and into how many heads it is split.
    dropout : float
        The probability with which weights are dropped in training.
    bias : bool
        Whether projections have biases.
    add_bias_kv : bool
        Whether a learned key and value are appended.
    add_zero_attn : bool
        Whether a key and a value of zeros are appended.
    kdim, vdim : int, optional
        The widths of keys and values, if they are others.
    batch_first : bool
        Whether tensors are (batch, length, width) instead of (length, batch, width).
    device, dtype : optional
        Of the parameters.
    """

    def __init__(
        self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None, vdim=None, batch_first=False,
        device=None, dtype=None,
    ):  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} instead")
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        stacked = self._qkv_same_embed_dim
        # PyTorch's order of registration, which is that of state dicts.
        if stacked:
            parameter(self, "in_proj_weight", (3 * embed_dim, embed_dim), device, dtype)
        for name, width in ("q_proj_weight", embed_dim), ("k_proj_weight", self.kdim), ("v_proj_weight", self.vdim):
            parameter(self, name, (embed_dim, width), device, dtype, not stacked)
        if not stacked:
            self.register_parameter("in_proj_weight", None)
        parameter(self, "in_proj_bias", (3 * embed_dim,), device, dtype, bias)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        if add_bias_kv:
            parameter(self, "bias_k", (1, 1, embed_dim), device, dtype)
            parameter(self, "bias_v", (1, 1, embed_dim), device, dtype)
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self):
        for weight in self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight:
            if weight is not None:
                xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            constant_(self.in_proj_bias, 0.0)
            constant_(self.out_proj.bias, 0.0)
        for bias in self.bias_k, self.bias_v:
            if bias is not None:
                xavier_normal_(bias)

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True, is_causal=False):
        """Attend from queries to keys and combine their values.

        Parameters
        ----------
        query, key, value : Tensor
            (length, batch, width), (batch, length, width) if `batch_first`, or (length, width).
        key_padding_mask : Tensor, optional
            (batch, source): True, or -inf, for keys that are left out.
        need_weights : bool
            Whether attention weights are returned.
        attn_mask : Tensor, optional
            (length, source) or (batch * heads, length, source): True where attention is forbidden, or numbers that are added to scores.
        average_attn_weights : bool
            Whether weights are the mean over heads.
        is_causal : bool
            Says that `attn_mask` is the causal mask.

        Returns
        -------
        tuple
            The result and the weights, or None.
        """
        batched = query.dim() == 3
        key_padding_mask = _additive(key_padding_mask, "key_padding_mask", query.dtype, attn_mask)
        attn_mask = _additive(attn_mask, "attn_mask", query.dtype)
        if self.batch_first and batched:
            # One tensor for all three stays one tensor: that is how self-attention is recognized.
            turned = {id(x): x.transpose(1, 0) for x in (query, key, value)}
            query, key, value = turned[id(query)], turned[id(key)], turned[id(value)]
        result, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v,
            self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim, q_proj_weight=self.q_proj_weight, k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight, average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        return (result.transpose(1, 0) if self.batch_first and batched else result), weights

    def merge_masks(self, attn_mask, key_padding_mask, query):
        """Both masks as one.

        Returns
        -------
        tuple
            The mask, and None for none, 1 for padding alone (batch, source), or 2 for (batch, heads, length, source).
        """
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, length, _ = query.shape
        if attn_mask.dim() == 3:
            merged = attn_mask.view(batch, -1, length, length)
        else:
            merged = attn_mask.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            merged = merged + key_padding_mask.view(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
        return merged, 2


def causal_mask(length, device=None, dtype=None):
    """Minus infinity where attention goes forward, zeros elsewhere."""
    return runtime.full((length, length), float("-inf"), device=device, dtype=dtype).triu(1)
