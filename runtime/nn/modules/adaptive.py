"""The adaptive softmax: frequent classes directly, rare ones in clusters (Grave et al., 2016)."""

from collections import namedtuple
from itertools import pairwise

from runtime.nn import functional as F
from runtime.nn.modules.container import ModuleList, Sequential
from runtime.nn.modules.linear import Linear
from runtime.nn.modules.module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of targets, and their loss.

    Parameters
    ----------
    in_features, n_classes : int
    cutoffs : sequence of int
        Where clusters of classes begin.
    div_value : float
        By what each cluster's width is smaller than that of the one before.
    head_bias : bool
        Whether the linear layer of frequent classes and clusters has a bias.
    device, dtype : optional
        Of the parameters.
    """

    def __init__(self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None, dtype=None):
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if cutoffs != sorted(set(cutoffs)) or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1 or any(int(c) != c for c in cutoffs):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is between 1 and "
                "n_classes-1"
            )
        options = {"device": device, "dtype": dtype}
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            width = int(in_features // div_value ** (i + 1))
            self.tail.append(Sequential(Linear(in_features, width, bias=False, **options), Linear(width, high - low, bias=False, **options)))

    def reset_parameters(self):
        """Draw initial values."""
        for linear in self.head, *(linear for cluster in self.tail for linear in cluster):
            linear.reset_parameters()

    def forward(self, input_, target_):
        """The log-probability of each target, and the mean of their negatives."""
        if target_.dim() > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        batched = target_.dim() == 1
        if batched and input_.size(0) != target_.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input_.dim() != target_.dim() + 1:
            raise RuntimeError(
                f"{target_.dim()}D target tensor expects {target_.dim() + 1}D input tensors, but found inputs with size {input_.size()}"
            )
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        if bool(((target < 0) | (target >= self.n_classes)).any()):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{target.min().item()}, {target.max().item()}] "
                "were found. "
            )
        output = input.new_zeros(target.size(0))
        # Where a target's own log-probability, or that of its cluster, is in the head.
        places = target.clone()
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            rows = ((target >= low) & (target < high)).nonzero().squeeze(1)
            if rows.numel() == 0:
                continue
            log_prob = F.log_softmax(self.tail[i](input.index_select(0, rows)), dim=1)
            within = (target.index_select(0, rows) - low).unsqueeze(1)
            output = output.index_copy(0, rows, log_prob.gather(1, within).squeeze(1))
            places.index_fill_(0, rows, self.shortlist_size + i)
        head = F.log_softmax(self.head(input), dim=1)
        output = output + head.gather(1, places.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _full_log_prob(self, input, head_output):
        head = F.log_softmax(head_output, dim=1)
        result = input.new_empty((head.size(0), self.n_classes))
        result[:, : self.shortlist_size] = head[:, : self.shortlist_size]
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            cluster = F.log_softmax(self.tail[i](input), dim=1)
            result[:, low:high] = cluster + head[:, self.shortlist_size + i].unsqueeze(1)
        return result

    def log_prob(self, input):
        """The log-probabilities of all classes."""
        return self._full_log_prob(input, self.head(input))

    def predict(self, input):
        """The most probable class of each example."""
        head_output = self.head(input)
        output = head_output.argmax(dim=1)
        rare = output >= self.shortlist_size
        if bool(rare.any()):
            output[rare] = self._full_log_prob(input[rare], head_output[rare]).argmax(dim=1)
        return output
