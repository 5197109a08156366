"""Connectionist temporal classification: the probability of a sequence of labels over all its alignments with the input.

An alignment names a label or the blank at every step; the sequence is what is left of it when repeated labels are merged and blanks are
dropped. The states of the recursion are the labels with a blank before, between and after them: at each step an alignment stays, advances by
one, or skips a blank between two different labels. The recursions are loops in C.
"""

import numpy as np

from runtime._core import _run_loop, ops
from runtime.kernels._arrays import new, read, read_contiguous
from runtime.kernels._common import scalar_name

aten = ops.aten

WHERE = "(while checking arguments for ctc_loss_allocate_outputs)"


def _lengths(tensor, name):
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex or scalar_name(tensor.dtype) == "Bool":
        raise RuntimeError(f"{name} must be integral")
    return tuple(aten.reshape.default(tensor, (-1,)).tolist())


def _check(log_probs, targets, input_lengths, target_lengths, blank):
    if log_probs.dim() != 3:
        raise RuntimeError(f"Expected 3-dimensional tensor, but got {log_probs.dim()}-dimensional tensor for argument #1 'log_probs' {WHERE}")
    if not log_probs.numel():
        raise RuntimeError("log_probs tensor must not be empty")
    steps, batch, labels = log_probs.shape
    if scalar_name(targets.dtype) not in ("Int", "Long"):
        kind = scalar_name(targets.dtype)
        raise RuntimeError(f"Expected tensor for argument #2 'targets' to have scalar type Int; but got torch.{kind}Tensor instead {WHERE}")
    if not 1 <= targets.dim() <= 2:
        raise RuntimeError(f"Expected 1 to 2 dimensions, but got {targets.dim()}-dimensional tensor for argument #2 'targets' {WHERE}")
    if not 0 <= blank < labels:
        raise RuntimeError("blank must be in label range")
    for name, lengths in ("input_lengths", input_lengths), ("target_lengths", target_lengths):
        if len(lengths) != batch:
            raise RuntimeError(f"{name} must be of size batch_size")
    for name, lengths in ("target_lengths", target_lengths), ("input_lengths", input_lengths):
        for n in lengths:
            if n < 0:
                raise RuntimeError(f"Expected {name} to have value at least 0, but got value {n} {WHERE}")
    longest = max(target_lengths)
    size = targets.shape[0]
    if targets.dim() == 1 and size != sum(target_lengths):
        raise RuntimeError(
            f"Expected tensor to have size {sum(target_lengths)} at dimension 0, but got size {size} for argument #2 'targets' {WHERE}"
        )
    if targets.dim() == 2:
        if size != batch:
            raise RuntimeError(f"Expected tensor to have size {batch} at dimension 0, but got size {size} for argument #2 'targets' {WHERE}")
        if targets.shape[1] < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size {targets.shape[1]} for argument #2 'targets' {WHERE}"
            )
    for n in input_lengths:
        if n > steps:
            raise RuntimeError(f"Expected input_lengths to have value at most {steps}, but got value {n} {WHERE}")
    if scalar_name(log_probs.dtype) not in ("Float", "Double"):
        raise NotImplementedError(f"\"ctc_loss_cpu\" not implemented for '{scalar_name(log_probs.dtype)}'")


def _states(log_probs, targets, input_lengths, target_lengths, blank):
    """What both loops begin with: log-probabilities, the label of each state, the lengths, and the geometry."""
    array, given = read_contiguous(log_probs), read(targets)
    steps, batch, count = array.shape
    width = max(target_lengths)
    lengths = np.array(target_lengths, np.int64)
    used = np.arange(width) < lengths[:, None]
    labels = np.full((batch, width), blank, np.int64)
    labels[used] = given if given.ndim == 1 else given[:, :width][used]
    if ((labels < 0) | (labels >= count)).any():
        raise IndexError(f"targets must be labels from 0 to {count - 1}")
    states = np.full((batch, 2 * width + 1), blank, np.int64)
    states[:, 1::2] = labels
    return array, states, np.array(input_lengths, np.int64), 2 * lengths + 1, steps, batch, count, states.shape[1], blank


def _ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, zero_infinity=False):
    _check(log_probs, targets, input_lengths, target_lengths, blank)
    if log_probs.is_meta:
        steps, batch, _ = log_probs.shape
        states = 2 * max(target_lengths) + 1
        return aten.new_empty.default(log_probs, (batch,)), aten.new_empty.default(log_probs, (batch, steps, states))
    array, *_ = given = _states(log_probs, targets, input_lengths, target_lengths, blank)
    steps, batch, _ = array.shape
    loss, alphas = np.empty(batch, array.dtype), np.empty((batch, steps, given[1].shape[1]), array.dtype)
    _run_loop("alignment_losses", array.dtype, batch, 1, *given, loss, alphas)
    return new(loss, log_probs.dtype), new(alphas, log_probs.dtype)


def _ctc_loss_Tensor(log_probs, targets, input_lengths, target_lengths, blank=0, zero_infinity=False):
    lengths = _lengths(input_lengths, "input_lengths"), _lengths(target_lengths, "target_lengths")
    return aten._ctc_loss.default(log_probs, targets, *lengths, blank, zero_infinity)


def _ctc_loss_backward(grad, log_probs, targets, input_lengths, target_lengths, neg_log_likelihood, log_alpha, blank, zero_infinity=False):
    _check(log_probs, targets, input_lengths, target_lengths, blank)
    if log_probs.is_meta:
        return aten.new_empty.default(log_probs, log_probs.shape)
    array, states, *_ = given = _states(log_probs, targets, input_lengths, target_lengths, blank)
    steps, batch, labels = array.shape
    alphas, losses, gradient = (read_contiguous(t) for t in (log_alpha, neg_log_likelihood, aten.expand.default(grad, (batch,))))
    if alphas.shape != (batch, steps, states.shape[1]) or losses.shape != (batch,):
        raise RuntimeError("_ctc_loss_backward: losses and log_alpha do not have the shapes that _ctc_loss returns")
    result = np.zeros(array.shape, array.dtype)
    room = np.empty((batch, 2 * states.shape[1] + labels), array.dtype)
    _run_loop("alignment_gradients", array.dtype, batch, 1, *given, alphas, losses, gradient, room, result)
    if zero_infinity:
        result[:, np.isinf(losses)] = 0
    return new(result, log_probs.dtype)


def _ctc_loss_backward_Tensor(grad, log_probs, targets, input_lengths, target_lengths, neg_log_likelihood, log_alpha, blank, zero_infinity=False):
    lengths = _lengths(input_lengths, "input_lengths"), _lengths(target_lengths, "target_lengths")
    return aten._ctc_loss_backward.default(grad, log_probs, targets, *lengths, neg_log_likelihood, log_alpha, blank, zero_infinity)


def ctc_loss_IntList(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=1, zero_infinity=False):
    single = log_probs.dim() != 3
    if single:
        log_probs = aten.unsqueeze.default(log_probs, 1)
        targets = aten.unsqueeze.default(targets, 0) if targets.dim() == 1 else targets
    loss = aten._ctc_loss.default(log_probs, targets, input_lengths, target_lengths, blank, zero_infinity)[0]
    if zero_infinity:
        loss = aten.where.ScalarSelf(aten.eq.Scalar(loss, float("inf")), 0.0, loss)
    if reduction == 1:
        lengths = aten.clamp_min.default(_tensor(target_lengths, loss), 1)
        return aten.mean.default(aten.div.Tensor(loss, lengths))
    if reduction == 2:
        return aten.sum.default(loss)
    return aten.squeeze.dim(loss, 0) if single else loss


def _tensor(lengths, like):
    import runtime

    return runtime.tensor(lengths, dtype=like.dtype, device=like.device)


def ctc_loss_Tensor(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=1, zero_infinity=False):
    lengths = _lengths(input_lengths, "input_lengths"), _lengths(target_lengths, "target_lengths")
    return aten.ctc_loss.IntList(log_probs, targets, *lengths, blank, reduction, zero_infinity)
