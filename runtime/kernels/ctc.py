"""Connectionist temporal classification: the probability of a sequence of labels over all its alignments with the input.

An alignment names a label or the blank at every step; the sequence is what is left of it when repeated labels are merged and blanks are
dropped. The states of the recursion are the labels with a blank before, between and after them: at each step an alignment stays, advances by
one, or skips a blank between two different labels. All sequences of a batch advance together.
"""

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import new, read
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


class _States:
    """The states of a batch: the label of each, whether it may be entered over the blank before it, and where each sequence ends."""

    def __init__(self, log_probs, targets, input_lengths, target_lengths, blank):
        self.log_probs = read(log_probs)
        self.steps, self.batch, count = self.log_probs.shape
        self.input_lengths = np.array(input_lengths, np.int64)
        self.target_lengths = np.array(target_lengths, np.int64)
        width = max(target_lengths)
        places = np.arange(width)
        used = places < self.target_lengths[:, None]
        labels = np.full((self.batch, width), blank, np.int64)
        array = read(targets)
        if array.ndim == 1:
            labels[used] = array
        else:
            labels[used] = array[:, :width][used]
        if ((labels < 0) | (labels >= count)).any():
            raise IndexError(f"targets must be labels from 0 to {count - 1}")
        self.labels = np.full((self.batch, 2 * width + 1), blank, np.int64)
        self.labels[:, 1::2] = labels
        self.skips = np.zeros(self.labels.shape, bool)
        self.skips[:, 2:] = (self.labels[:, 2:] != blank) & (self.labels[:, 2:] != self.labels[:, :-2])
        self.ends = 2 * self.target_lengths
        self.inside = np.arange(2 * width + 1) <= self.ends[:, None]

    def emission(self, t):
        """The log-probability of each state's label at step t."""
        return np.take_along_axis(self.log_probs[t], self.labels, 1)

    def last_two(self, values):
        """The log of what the last label and the blank after it hold together."""
        rows = np.arange(self.batch)
        end = values[rows, self.ends]
        before = np.where(self.target_lengths > 0, values[rows, np.maximum(self.ends - 1, 0)], -np.inf)
        return np.logaddexp(end, before)

    def advance(self, values, allowed):
        """The log of the sum over the ways into each state, from the left."""
        one, two = np.full_like(values, -np.inf), np.full_like(values, -np.inf)
        one[:, 1:] = values[:, :-1]
        two[:, 2:] = values[:, :-2]
        return np.logaddexp(np.logaddexp(values, one), np.where(allowed, two, -np.inf))


def _ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, zero_infinity=False):
    _check(log_probs, targets, input_lengths, target_lengths, blank)
    if log_probs.is_meta:
        steps, batch, _ = log_probs.shape
        states = 2 * max(target_lengths) + 1
        return aten.new_empty.default(log_probs, (batch,)), aten.new_empty.default(log_probs, (batch, steps, states))
    states = _States(log_probs, targets, input_lengths, target_lengths, blank)
    dtype = states.log_probs.dtype
    alphas = np.full((states.batch, states.steps, states.labels.shape[1]), -np.inf, dtype)
    loss = np.where(states.target_lengths == 0, 0.0, np.inf).astype(dtype)
    with np.errstate(invalid="ignore"):
        alpha = np.full(states.labels.shape, -np.inf, dtype)
        alpha[:, :2] = states.emission(0)[:, :2]
        for t in range(states.steps):
            if t:
                alpha = states.advance(alpha, states.skips) + states.emission(t)
            alpha = np.where(states.inside, alpha, -np.inf)
            alphas[:, t] = alpha
            over = states.input_lengths == t + 1
            if over.any():
                loss[over] = -states.last_two(alpha)[over]
    return new(loss, log_probs.dtype), new(alphas, log_probs.dtype)


def _ctc_loss_Tensor(log_probs, targets, input_lengths, target_lengths, blank=0, zero_infinity=False):
    lengths = _lengths(input_lengths, "input_lengths"), _lengths(target_lengths, "target_lengths")
    return aten._ctc_loss.default(log_probs, targets, *lengths, blank, zero_infinity)


def _ctc_loss_backward(grad, log_probs, targets, input_lengths, target_lengths, neg_log_likelihood, log_alpha, blank, zero_infinity=False):
    _check(log_probs, targets, input_lengths, target_lengths, blank)
    if log_probs.is_meta:
        return aten.new_empty.default(log_probs, log_probs.shape)
    states = _States(log_probs, targets, input_lengths, target_lengths, blank)
    alphas, nll, gradient = read(log_alpha), read(neg_log_likelihood), read(grad)
    result = np.zeros_like(states.log_probs)
    rows = np.arange(states.batch)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        # beta runs backwards: a state is left to where it could be entered from.
        beta = np.full(states.labels.shape, -np.inf, states.log_probs.dtype)
        skips = np.zeros_like(states.skips)
        skips[:, :-2] = states.skips[:, 2:]
        for t in reversed(range(states.steps)):
            emission = states.emission(t)
            beta = states.advance(beta[:, ::-1], skips[:, ::-1])[:, ::-1] + emission
            over = states.input_lengths == t + 1
            beta[over] = -np.inf
            beta[rows[over], states.ends[over]] = emission[rows[over], states.ends[over]]
            label = over & (states.target_lengths > 0)
            beta[rows[label], states.ends[label] - 1] = emission[rows[label], states.ends[label] - 1]
            beta = np.where(states.inside, beta, -np.inf)
            through = alphas[:, t] + beta
            # Sums by label, relative to the largest so that they stay finite.
            top = through.max(1, keepdims=True)
            top = np.where(np.isfinite(top), top, 0)
            sums = np.zeros((states.batch, result.shape[2]), result.dtype)
            np.add.at(sums, (rows[:, None], states.labels), np.where(states.inside, np.exp(through - top), 0))
            p = states.log_probs[t]
            values = (np.exp(p) - np.exp(np.log(sums) + top + nll[:, None] - p)) * gradient.reshape(-1, 1)
            result[t] = np.where((t < states.input_lengths)[:, None], values, 0)
        if zero_infinity:
            result[:, np.isinf(nll)] = 0
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
