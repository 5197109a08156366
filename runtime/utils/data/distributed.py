"""The sampler of one of several processes that share the samples of a data set among themselves."""

import math

import runtime
from runtime.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler):
    """Every `num_replicas`-th index of an order that is the same in all processes.

    Parameters
    ----------
    dataset : Dataset
    num_replicas, rank : int
        How many processes there are, and which of them this is. There are no process groups that would know.
    shuffle : bool
        Whether the order is random.
    seed : int
        Of the order, with the number of the epoch.
    drop_last : bool
        Whether samples are left out so that all processes have equally many; otherwise the first ones come twice.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        if num_replicas is None or rank is None:
            raise RuntimeError("Requires distributed package to be available; give num_replicas and rank")
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        whole, rest = divmod(len(dataset), num_replicas)
        self.num_samples = whole + (rest > 0 and not drop_last)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self):
        n = len(self.dataset)
        if self.shuffle:
            generator = runtime.Generator().manual_seed(self.seed + self.epoch)
            order = runtime.randperm(n, generator=generator).tolist()
        else:
            order = list(range(n))
        if n:
            order *= math.ceil(self.total_size / n)
        return iter(order[self.rank : self.total_size : self.num_replicas])

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        """Choose another random order: to be called before each epoch with its number."""
        self.epoch = epoch
