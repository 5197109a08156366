"""Data sets, samplers and loaders.

A `Dataset` gives samples by index, an `IterableDataset` one after the other; a sampler says in which order; a `DataLoader` makes batches of
them, in this process or in workers.
"""

from runtime.utils.data.collate import default_collate, default_convert
from runtime.utils.data.dataloader import DataLoader
from runtime.utils.data.dataset import ChainDataset, ConcatDataset, Dataset, IterableDataset, StackDataset, Subset, TensorDataset, random_split
from runtime.utils.data.distributed import DistributedSampler
from runtime.utils.data.fetch import _DatasetKind as _DatasetKind
from runtime.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from runtime.utils.data.worker import get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]
