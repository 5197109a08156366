"""Embeddings: rows of a table by their numbers."""

import runtime
from runtime._core import no_grad
from runtime.nn import functional as F
from runtime.nn.init import normal_
from runtime.nn.modules.module import Module
from runtime.nn.parameter import Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """The table of both kinds; the row `padding_idx` begins with zeros and gets no gradient."""

    def _set_up(self, num_embeddings, embedding_dim, padding_idx, weight, requires_grad, subject, device, dtype):
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < max(num_embeddings, 1):
                raise AssertionError(f"{subject} must be within num_embeddings")
            padding_idx += num_embeddings if padding_idx < 0 else 0
        self.padding_idx = padding_idx
        if weight is not None:
            if list(weight.shape) != [num_embeddings, embedding_dim]:
                raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
            self.weight = Parameter(weight, requires_grad=requires_grad)
            return
        self.weight = Parameter(runtime.empty((num_embeddings, embedding_dim), device=device, dtype=dtype), requires_grad=requires_grad)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw initial values from the standard normal distribution."""
        normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)


def _check_matrix(embeddings):
    if embeddings.dim() != 2:
        raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
    return embeddings.shape


class Embedding(_Table):
    """Rows of a table by their numbers.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        The sizes of the table.
    padding_idx : int, optional
        A row of zeros that gets no gradient.
    max_norm : float, optional
        Rows with larger norms are scaled down in place when they are used.
    norm_type : float
        Of these norms.
    scale_grad_by_freq : bool
        Whether a row's gradient is divided by its number of uses.
    sparse : bool
        Accepted; gradients are dense.
    device, dtype : optional
        Of the table.
    """

    def __init__(
        self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False,
        _weight=None, _freeze=False, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._set_up(num_embeddings, embedding_dim, padding_idx, _weight, not _freeze, "Padding_idx", device, dtype)

    def forward(self, input):
        """The rows that the input numbers."""
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)

    def extra_repr(self):
        """The sizes, and the settings that differ from their defaults."""
        parts = [str(self.num_embeddings), str(self.embedding_dim)]
        for name, default in ("padding_idx", None), ("max_norm", None), ("norm_type", 2), ("scale_grad_by_freq", False), ("sparse", False):
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
        """A layer with a given table, which by default is not trained."""
        rows, columns = _check_matrix(embeddings)
        return cls(rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight=embeddings, _freeze=freeze)


class EmbeddingBag(_Table):
    """Sums, means or maxima of rows of a table, by lists of their numbers.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        The sizes of the table.
    max_norm : float, optional
        Rows with larger norms are scaled down in place when they are used.
    norm_type : float
        Of these norms.
    scale_grad_by_freq : bool
        Whether a row's gradient is divided by its number of uses.
    mode : {"mean", "sum", "max"}
    sparse : bool
        Accepted; gradients are dense.
    include_last_offset : bool
        Whether offsets end with the number of entries.
    padding_idx : int, optional
        A row that is left out.
    device, dtype : optional
        Of the table.
    """

    def __init__(
        self, num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode="mean", sparse=False,
        _weight=None, include_last_offset=False, padding_idx=None, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self._set_up(num_embeddings, embedding_dim, padding_idx, _weight, True, "padding_idx", device, dtype)

    def forward(self, input, offsets=None, per_sample_weights=None):
        """The reduced rows of each bag: of each row of the input, or of the entries between two offsets."""
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse, per_sample_weights,
            self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self):
        """The sizes, the mode, and the settings that differ from their defaults."""
        parts = [str(self.num_embeddings), str(self.embedding_dim)]
        for name, default in ("max_norm", None), ("norm_type", 2), ("scale_grad_by_freq", False), ("mode", None), ("padding_idx", None):
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)!r}")
        return ", ".join(parts)

    @classmethod
    def from_pretrained(
        cls, embeddings, freeze=True, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode="mean", sparse=False,
        include_last_offset=False, padding_idx=None,
    ):  # fmt: skip
        """A layer with a given table, which by default is not trained."""
        rows, columns = _check_matrix(embeddings)
        bag = cls(
            rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse, _weight=embeddings,
            include_last_offset=include_last_offset, padding_idx=padding_idx,
        )  # fmt: skip
        bag.weight.requires_grad = not freeze
        return bag
