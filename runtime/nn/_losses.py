"""Losses under the names and with the arguments of `nn.functional`; the operators below them take the reduction as a code."""

import math
import warnings

from runtime import _core
from runtime.kernels._common import broadcast
from runtime.nn._reduction import chosen, get_enum

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "ctc_loss", "gaussian_nll_loss",
    "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "linear_cross_entropy", "margin_ranking_loss", "mse_loss",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss",
    "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip

_nn = _core.functions_of("nn")
_functions = _core.functions
aten = _core.ops.aten


def _code(reduction, size_average, reduce):
    return get_enum(chosen(reduction, size_average, reduce))


def _reduced(loss, reduction, mean=None):
    """A weighted loss reduced by name."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return aten.sum.default(loss)
    if reduction == "mean":
        return aten.mean.default(loss) if mean is None else mean(loss)
    raise ValueError(f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'.")


def _same_shape(input, target):
    """Both, broadcast, with a warning where that was needed: a forgotten dimension gives a plausible but wrong loss."""
    shape, other = input.shape, target.shape
    if shape == other:
        return input, target
    warnings.warn(
        f"Using a target size ({other}) that is different to the input size ({shape}). "
        "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
        stacklevel=3,
    )
    common = broadcast(shape, other)
    return aten.expand.default(input, common), aten.expand.default(target, common)


def _check_weight(weight, input):
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The absolute difference of input and target; with a weight, its weighted mean or sum."""
    reduction = chosen(reduction, size_average, reduce)
    shape = input
    input, target = _same_shape(input, target)
    if weight is None:
        return _nn["l1_loss"](input, target, get_enum(reduction))
    _check_weight(weight, shape)
    return _reduced((input - target).abs() * weight, reduction, lambda loss: loss.sum() / weight.sum())


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The squared difference of input and target; with a weight, its weighted mean or sum."""
    reduction = chosen(reduction, size_average, reduce)
    shape = input
    input, target = _same_shape(input, target)
    if weight is None:
        return _nn["mse_loss"](input, target, get_enum(reduction))
    _check_weight(weight, shape)
    return _reduced((input - target).pow(2) * weight, reduction, lambda loss: loss.sum() / weight.sum())


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """The squared difference below `beta`, the absolute difference above it, joined smoothly."""
    reduction = chosen(reduction, size_average, reduce)
    input, target = _same_shape(input, target)
    if beta == 0.0:
        return _nn["l1_loss"](input, target, get_enum(reduction))
    return _nn["smooth_l1_loss"](input, target, get_enum(reduction), beta)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """Half the squared difference below `delta`, a multiple of the absolute difference above it."""
    shape = input
    input, target = _same_shape(input, target)
    if weight is None:
        return _nn["huber_loss"](input, target, get_enum(reduction), delta)
    _check_weight(weight, shape)
    return _reduced(_nn["huber_loss"](input, target, 0, delta) * weight, reduction)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The cross entropy of probabilities and targets between 0 and 1."""
    reduction = _code(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if weight is not None:
        weight = weight.expand(broadcast(target.shape, weight.shape))
    return _nn["binary_cross_entropy"](input, target, weight, reduction)


def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    """`binary_cross_entropy` of the sigmoid of the input, without its loss of accuracy."""
    reduction = _code(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    return _functions["binary_cross_entropy_with_logits"](input, target, weight, pos_weight, reduction)


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """The negative of the log-probability that the input gives to the target's class."""
    return _nn["nll_loss_nd"](input, target, weight, _code(reduction, size_average, reduce), ignore_index)


def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0):
    """The cross entropy of logits and a target of class indices or of class probabilities."""
    return _nn["cross_entropy_loss"](input, target, weight, _code(reduction, size_average, reduce), ignore_index, label_smoothing)


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """The Kullback-Leibler divergence of log-probabilities from a target of probabilities."""
    batch = size_average is None and reduce is None and reduction == "batchmean"
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    code = 2 if batch else _code(reduction, size_average, reduce)
    loss = _functions["kl_div"](input, target, code, log_target=log_target)
    return loss / input.size(0) if reduction == "batchmean" and input.dim() else loss


def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"):
    """The negative log-likelihood of counts under Poisson distributions."""
    code = _code(reduction, size_average, reduce)
    return _functions["poisson_nll_loss"](input, target, log_input, full, eps, code)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """The negative log-likelihood of targets under normal distributions of mean `input` and variance `var`."""
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = aten.full_like.default(input, var)
    elif (var < 0).any().item():
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.dim() != var.dim() or sum(y for x, y in zip(input.shape, var.shape, strict=True) if x != y) != 1:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    # The bound keeps the logarithm finite; no gradient flows through it.
    var = var.clone()
    var.detach().clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduced(loss, reduction)


def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """How far two inputs are from the order that a target of 1 or -1 asks for."""
    code = _code(reduction, size_average, reduce)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return _functions["margin_ranking_loss"](input1, input2, target, margin, code)


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """The input where the target is 1, what it lacks to the margin where it is -1."""
    return _functions["hinge_embedding_loss"](input, target, margin, _code(reduction, size_average, reduce))


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """The margins by which classes that are not the sample's come too close to those that are."""
    return _nn["multilabel_margin_loss"](input, target, _code(reduction, size_average, reduce))


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """The logistic loss of a target of 1 or -1."""
    return _nn["soft_margin_loss"](input, target, _code(reduction, size_average, reduce))


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over classes of the cross entropy of each class's sigmoid."""
    reduction = chosen(reduction, size_average, reduce)
    loss = -(target * aten.log_sigmoid.default(input) + (1 - target) * aten.log_sigmoid.default(-input))
    if weight is not None:
        loss = loss * weight
    dim = input.dim() - 1
    loss = loss.sum(dim) / input.size(dim)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    return _reduced(loss, reduction)


def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """One less the cosine where the target is 1, the cosine above the margin where it is -1."""
    return _functions["cosine_embedding_loss"](input1, input2, target, margin, _code(reduction, size_average, reduce))


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The margins by which other classes come too close to the target's, to the power of p."""
    code = _code(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    return _nn["multi_margin_loss"](input, target, p, margin, weight, code)


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None, reduce=None, reduction="mean"):
    """By how much the positive example is not nearer to the anchor than the negative one, by the margin."""
    code = _code(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    return _functions["triplet_margin_loss"](anchor, positive, negative, margin, p, eps, swap, code)


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"):
    """`triplet_margin_loss` with a distance of the caller's."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    distance = _functions["pairwise_distance"] if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = aten.minimum.default(far, distance(positive, negative))
    return _reduced((margin + near - far).clamp(min=0), reduction)


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """The negative log-probability of a sequence of labels over all its alignments with the input."""
    return _functions["ctc_loss"](log_probs, targets, input_lengths, target_lengths, blank, get_enum(reduction), zero_infinity)


def linear_cross_entropy(
    input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean", ignore_index=None, label_smoothing=0.0, options=None
):
    """`cross_entropy` of a linear map of the input.

    Parameters
    ----------
    input : Tensor
        (in_features,) or (N, in_features).
    linear_weight : Tensor
        (num_classes, ..., in_features).
    target : Tensor
        Class indices or probabilities, as `cross_entropy` takes them.
    linear_bias, weight : Tensor, optional
        The bias of the linear map; weights of the classes.
    options : optional
        With a `batch_chunk_size`, the logits are made for so many samples at a time.

    Returns
    -------
    Tensor
    """
    if not 1 <= input.dim() <= 2:
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    batch, features = tuple(input.shape[:-1]), input.shape[-1]
    if features != linear_weight.shape[-1]:
        raise RuntimeError(
            f"expected equal input and linear_weight last dimensions (in_features), got {features} and {linear_weight.shape[-1]}, respectively"
        )
    outputs = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != outputs:
        raise RuntimeError(f"expected linear_bias shape {outputs}, got {tuple(linear_bias.shape)}")
    if len(outputs) > 1 and not batch:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, (N, {features}), "
            f"got unbatched input with shape {tuple(input.shape)}"
        )
    probabilities = tuple(target.shape) == (*batch, *outputs)
    if probabilities and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignore_index = -100 if ignore_index is None else ignore_index
    matrix = linear_weight.reshape(math.prod(outputs), features)
    bias = None if linear_bias is None else linear_bias.reshape(math.prod(outputs))

    def loss(x, t, code):
        logits = aten.linear.default(x, matrix, bias)
        return _nn["cross_entropy_loss"](logits.reshape(*x.shape[:-1], *outputs), t, weight, code, ignore_index, label_smoothing)

    code = get_enum(reduction)
    size = None if options is None else options.batch_chunk_size
    if not batch or size is None or size >= batch[0] or probabilities or label_smoothing or len(outputs) > 1:
        return loss(input, target, code)
    parts = [loss(input[i : i + size], target[i : i + size], 0 if code == 0 else 2) for i in range(0, batch[0], size)]
    if code == 0:
        return aten.cat.default(parts)
    total = aten.sum.default(aten.stack.default(parts))
    if code == 2:
        return total
    counted = target != ignore_index
    if weight is None:
        return total / counted.sum()
    return total / (weight[target.masked_fill(~counted, 0)] * counted).sum()
