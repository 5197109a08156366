"""Data pipes: data sets that wrap other ones. Here are their base classes and the two that wrap what Python has already.

Pipes that transform, shuffle or split others are not built; write a data set instead.
"""

import copy
import warnings

from runtime.utils.data.dataset import Dataset, IterableDataset

__all__ = ["DFIterDataPipe", "IterDataPipe", "IterableWrapper", "MapDataPipe", "SequenceWrapper"]


class IterDataPipe(IterableDataset):
    """A pipe whose samples come one after the other."""


class DFIterDataPipe(IterDataPipe):
    """A pipe of data frames."""


class MapDataPipe(Dataset):
    """A pipe whose samples have keys."""


def _copied(value, wanted, what):
    if not wanted:
        return value
    try:
        return copy.deepcopy(value)
    except TypeError:
        warnings.warn(
            f"The input {what} can not be deepcopied, please be aware of in-place modification would affect source data.", stacklevel=3
        )
        return value


class IterableWrapper(IterDataPipe):
    """A pipe over an iterable.

    Parameters
    ----------
    iterable : iterable
    deepcopy : bool
        Whether each iteration goes over a deep copy made at its start.

    Examples
    --------
    >>> list(IterableWrapper([3, 1]))
    [3, 1]
    """

    def __init__(self, iterable, deepcopy=True):
        self.iterable = iterable
        self.deepcopy = deepcopy

    def __iter__(self):
        yield from _copied(self.iterable, self.deepcopy, "iterable")

    def __len__(self):
        return len(self.iterable)


class SequenceWrapper(MapDataPipe):
    """A pipe over a sequence or a mapping.

    Parameters
    ----------
    sequence : sequence or mapping
    deepcopy : bool
        Whether a deep copy is kept.

    Examples
    --------
    >>> SequenceWrapper({"a": 100})["a"]
    100
    """

    def __init__(self, sequence, deepcopy=True):
        self.sequence = _copied(sequence, deepcopy, "sequence")

    def __getitem__(self, index):
        return self.sequence[index]

    def __len__(self):
        return len(self.sequence)
