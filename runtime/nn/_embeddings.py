"""Embeddings under the names and with the arguments of `nn.functional`."""

import warnings

from runtime import _core

__all__ = ["embedding", "embedding_bag"]

aten = _core.ops.aten
_functions = _core.functions


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of a table at indices.

    Parameters
    ----------
    input : Tensor
        Indices, of any shape.
    weight : Tensor
        The table, (rows, width).
    padding_idx : int, optional
        The row that gets no gradient.
    max_norm : float, optional
        Rows that are used are shortened to this norm, in place.
    norm_type : float
        The p of that norm.
    scale_grad_by_freq : bool
        Whether gradients are divided by how often a row occurs.
    sparse : bool
        Whether the gradient is sparse.

    Returns
    -------
    Tensor
        (*input.shape, width).
    """
    if padding_idx is None:
        padding_idx = -1
    else:
        if not -weight.size(0) <= padding_idx < weight.size(0):
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= weight.size(0)
    if max_norm is not None:
        input = input.contiguous()
        aten.embedding_renorm_.default(weight.detach(), input, max_norm, norm_type)
    return _functions["embedding"](weight, input, padding_idx, scale_grad_by_freq, sparse)


def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """Sums, means or maxima of bags of rows of a table, without making the rows.

    Parameters
    ----------
    input : Tensor
        Indices: (bags, size), or one dimension with `offsets` where each bag begins.
    weight : Tensor
        The table, (rows, width).
    mode : str
        "sum", "mean" or "max".
    per_sample_weights : Tensor, optional
        Factors of the rows, for sums.
    include_last_offset : bool
        Whether the last offset is the end of the last bag.
    padding_idx : int, optional
        The row that bags pass over.

    Returns
    -------
    Tensor
        (bags, width).
    """
    if str(weight.dtype) == "torch.int64" and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is deprecated, "
            "and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, "
            f"then it must have the same shape as the input ({input.shape})"
        )
    if weight.dim() != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}")
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. "
                f"However, found offsets of type {type(offsets)}"
            )
        bags, size = input.shape
        offsets = aten.arange.start_step(0, bags * size, size, dtype=input.dtype, device=input.device)
        include_last_offset = False
        input = input.reshape(-1)
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    elif input.dim() != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    elif offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    elif offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if max_norm is not None:
        aten.embedding_renorm_.default(weight.detach(), input, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    code = ("sum", "mean", "max").index(mode)
    return _functions["embedding_bag"](
        weight, input, offsets, scale_grad_by_freq, code, sparse, per_sample_weights, include_last_offset, padding_idx
    )[0]
