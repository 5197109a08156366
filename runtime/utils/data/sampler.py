"""Samplers: in which order a loader takes the samples of a data set, and how it groups them."""

from itertools import islice
from typing import Generic, TypeVar

import runtime

__all__ = ["BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler"]

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """An iterable of indices, or of lists of indices: a base class, whose subclasses have `__iter__` and mostly `__len__`."""

    def __iter__(self):
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


def random_seed(generator=None):
    """A non-negative seed of 63 bits, drawn from a generator or the default one."""
    return runtime.empty((), dtype=runtime.int64).random_(generator=generator).item()


class SequentialSampler(Sampler[int]):
    """The indices from 0 on.

    Parameters
    ----------
    data_source : Dataset
    """

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The indices in random order.

    Parameters
    ----------
    data_source : Dataset
    replacement : bool
        Whether indices are drawn independently. Otherwise permutations follow each other, the last one cut off.
    num_samples : int, optional
        How many; by default as many as there are samples.
    generator : Generator, optional
        By default each iteration has a new one, whose seed the default generator draws.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={self.num_samples}")

    @property
    def num_samples(self):
        """How many indices an iteration gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        count, n = self.num_samples, len(self.data_source)
        generator = self.generator
        if generator is None:
            generator = runtime.Generator().manual_seed(random_seed())
        if self.replacement:
            draws, size = (lambda k: runtime.randint(n, (k,), dtype=runtime.int64, generator=generator)), 32
        else:
            draws, size = (lambda k: runtime.randperm(n, generator=generator)[:k]), n
        for _ in range(count // size):
            yield from draws(size).tolist()
        # Drawn even if nothing is left to give, so that the generator goes on as PyTorch's does.
        yield from draws(count % size).tolist()

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Given indices in random order.

    Parameters
    ----------
    indices : sequence
    generator : Generator, optional
    """

    def __init__(self, indices, generator=None):
        self.indices = indices
        self.generator = generator

    def __iter__(self):
        for i in runtime.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


def _check_positive(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_bool(name, value):
    if not isinstance(value, bool):
        raise ValueError(f"{name} should be a boolean value, but got {name}={value}")


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with given probabilities.

    Parameters
    ----------
    weights : sequence of float
        One for each index; they need not sum to one.
    num_samples : int
    replacement : bool
    generator : Generator, optional
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        _check_positive("num_samples", num_samples)
        _check_bool("replacement", replacement)
        self.weights = runtime.as_tensor(weights, dtype=runtime.float64)
        if self.weights.dim() != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self):
        return iter(runtime.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist())

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler[list]):
    """What another sampler gives, in lists.

    Parameters
    ----------
    sampler : iterable
    batch_size : int
    drop_last : bool
        Whether a last list that is not full is left out.
    """

    def __init__(self, sampler, batch_size, drop_last):
        _check_positive("batch_size", batch_size)
        _check_bool("drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)
