"""Sequences of different lengths in one tensor: padded to the longest, or packed step by step."""

from collections import namedtuple
from collections.abc import Iterable

import runtime
from runtime import _core
from runtime._core import Tensor
from runtime.nn._conversion import parse_to

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence", "unpack_sequence",
    "unpad_sequence",
]  # fmt: skip


class PackedSequence(namedtuple("PackedSequence", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])):
    """Sequences of which all first elements stand together, then all second ones, and so on.

    Made by `pack_sequence` and `pack_padded_sequence`; recurrent layers take it as their input.

    Parameters
    ----------
    data : Tensor
        The elements.
    batch_sizes : Tensor
        How many sequences have an element at each step.
    sorted_indices, unsorted_indices : Tensor, optional
        The order of the sequences by length, and back to the order in which they were given.
    """

    # Without slots: PyTorch's have a dict and weak references.

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They should be "
                "instantiated by functions like pack_sequence and pack_padded_sequences in nn.utils.rnn."
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """Convert the elements as `Tensor.to` does; the orders follow to the device."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        _, _, non_blocking, _ = parse_to(*args, **kwargs)
        orders = (self.sorted_indices, self.unsorted_indices)
        return type(self)(data, self.batch_sizes, *(t if t is None else t.to(data.device, non_blocking=non_blocking) for t in orders))

    def cuda(self, *args, **kwargs):
        """Move to a CUDA device."""
        return self.to(*args, **kwargs) if args else self.to(**{"device": "cuda", **kwargs})

    def cpu(self, *args, **kwargs):
        """Move to the CPU."""
        return self.to(*args, **{**kwargs, "device": "cpu"})

    def double(self):
        """Convert the elements to float64."""
        return self.to(dtype=runtime.float64)

    def float(self):
        """Convert the elements to float32."""
        return self.to(dtype=runtime.float32)

    def half(self):
        """Convert the elements to float16."""
        return self.to(dtype=runtime.float16)

    def long(self):
        """Convert the elements to int64."""
        return self.to(dtype=runtime.int64)

    def int(self):
        """Convert the elements to int32."""
        return self.to(dtype=runtime.int32)

    def short(self):
        """Convert the elements to int16."""
        return self.to(dtype=runtime.int16)

    def char(self):
        """Convert the elements to int8."""
        return self.to(dtype=runtime.int8)

    def byte(self):
        """Convert the elements to uint8."""
        return self.to(dtype=runtime.uint8)

    @property
    def is_cuda(self):
        """Whether the elements are on a CUDA device."""
        return self.data.is_cuda

    def is_pinned(self):
        """Whether the elements are in pinned memory."""
        return self.data.is_pinned()


def invert_permutation(permutation):
    """The permutation that undoes another; None stays None."""
    if permutation is None:
        return None
    return runtime.empty_like(permutation).scatter_(0, permutation, runtime.arange(permutation.numel(), device=permutation.device))


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack the first elements of each sequence of a padded tensor.

    Parameters
    ----------
    input : Tensor
        (length, batch, ...), or (batch, length, ...) if `batch_first`.
    lengths : Tensor or list of int
    batch_first : bool
    enforce_sorted : bool
        Whether the sequences must come with decreasing lengths; otherwise they are sorted.

    Returns
    -------
    PackedSequence
    """
    if isinstance(lengths, Tensor):
        lengths = lengths.to(dtype=runtime.int64)
    else:
        lengths = runtime.as_tensor(lengths, dtype=runtime.int64, device="cpu")
    order = None
    if not enforce_sorted:
        lengths, order = runtime.sort(lengths, descending=True)
        order = order.to(input.device)
        input = input.index_select(0 if batch_first else 1, order)
    data, batch_sizes = runtime._pack_padded_sequence(input, lengths, batch_first)
    return PackedSequence(data, batch_sizes, order, None)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """Pad packed sequences to the longest, or to a length.

    Parameters
    ----------
    sequence : PackedSequence
    batch_first : bool
        Whether the result is (batch, length, ...).
    padding_value : float
    total_length : int, optional

    Returns
    -------
    tuple of Tensor
        The padded sequences in the order in which they were packed, and their lengths.
    """
    longest = sequence.batch_sizes.size(0)
    if total_length is not None and total_length < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {longest}"
        )
    padded, lengths = runtime._pad_packed_sequence(
        sequence.data, sequence.batch_sizes, batch_first, padding_value, longest if total_length is None else total_length
    )
    back = sequence.unsorted_indices
    if back is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, back), lengths[back.cpu()]


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences as one tensor, padded to the longest.

    Parameters
    ----------
    sequences : iterable of Tensor
        Each (length, ...).
    batch_first : bool
        Whether the result is (batch, length, ...).
    padding_value : float
    padding_side : {"right", "left"}

    Returns
    -------
    Tensor
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}")
    return _core.functions_of("nn")["pad_sequence"](tuple(sequences), batch_first, padding_value, padding_side)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences of a padded tensor.

    Parameters
    ----------
    padded_sequences : Tensor
    lengths : Tensor
    batch_first : bool

    Returns
    -------
    list of Tensor
    """
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [sequence[:length] for sequence, length in zip(padded_sequences, lengths.tolist(), strict=True)]


def pack_sequence(sequences, enforce_sorted=True):
    """Pack sequences; see `pack_padded_sequence` for `enforce_sorted`."""
    lengths = runtime.as_tensor([sequence.size(0) for sequence in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The sequences that were packed, as a list."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)
