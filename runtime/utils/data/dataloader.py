"""DataLoader: batches of a data set's samples, fetched in this process or in workers ahead of time.

Each worker is at the other end of a channel. It gets tasks, the next `prefetch_factor` batches of its turn, and sends the batches back in
shared memory. The iterator waits for all channels and all processes at once, so that it hears of a worker's end at the moment when it happens.
"""

import itertools
import multiprocessing
import os
import threading
import time
import warnings
import weakref
from collections import deque
from multiprocessing.connection import wait
from pickle import PicklingError
from typing import Generic

from runtime.multiprocessing.channel import Channel
from runtime.multiprocessing.memory import get_sharing_strategy, session_folder
from runtime.utils.data.collate import default_collate, default_convert
from runtime.utils.data.dataset import IterableDataset, T_co
from runtime.utils.data.fetch import _DatasetKind
from runtime.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, random_seed
from runtime.utils.data.worker import EndOfDataset, Resume, Task, get_worker_info, worker_loop
from runtime.utils.exceptions import ExceptionWrapper

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

_GRACE = 5.0  # seconds that workers get to end by themselves
_GRACE_AT_EXIT = 0.2  # when the interpreter ends


class _InfiniteConstantSampler(Sampler):
    """None without end: for data sets that need no index."""

    def __iter__(self):
        return itertools.repeat(None)


class DataLoader(Generic[T_co]):
    """An iterable over the batches of a data set.

    Parameters
    ----------
    dataset : Dataset or IterableDataset
    batch_size : int, optional
        Samples in a batch. None: the samples are given one by one, not collated.
    shuffle : bool, optional
        Whether the order is random, another one in each epoch.
    sampler : iterable, optional
        The order of the indices; excludes `shuffle`.
    batch_sampler : iterable, optional
        Gives lists of indices; excludes `batch_size`, `shuffle`, `sampler` and `drop_last`.
    num_workers : int
        How many processes fetch batches; with 0 this one does.
    collate_fn : callable, optional
        Makes a batch of a list of samples; by default `default_collate`, and `default_convert` where there are no batches.
    pin_memory : bool
        Has no effect but a warning: there is no device that would want it.
    drop_last : bool
        Whether a last batch that is not full is left out.
    timeout : float
        Seconds to wait for a batch from the workers; 0: as long as it takes.
    worker_init_fn : callable, optional
        Called in each worker with its number, after the generators were seeded.
    multiprocessing_context : str or BaseContext, optional
        How workers are started.
    generator : Generator, optional
        Draws the random order and the seed of the workers.
    prefetch_factor : int, optional
        How many batches each worker fetches ahead; 2 by default.
    persistent_workers : bool
        Whether the workers stay for further epochs.
    pin_memory_device : str
        As `pin_memory`.
    in_order : bool
        Whether batches come in the order of the sampler; otherwise as they are ready.

    Examples
    --------
    >>> import runtime
    >>> from runtime.utils.data import DataLoader, TensorDataset
    >>> for x, y in DataLoader(TensorDataset(runtime.arange(3), runtime.ones(3)), batch_size=2):
    ...     print(x, y)
    tensor([0, 1]) tensor([1., 1.])
    tensor([2]) tensor([1.])
    """

    __initialized = False

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable multiprocessing, otherwise "
                "set prefetch_factor to None."
            )
        if prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self._dataset_kind = _DatasetKind.Iterable if isinstance(dataset, IterableDataset) else _DatasetKind.Map
        if self._dataset_kind == _DatasetKind.Iterable:
            given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
            for name, value in given.items():
                if value is not None:
                    raise ValueError(f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if self._dataset_kind == _DatasetKind.Iterable:
                sampler = _InfiniteConstantSampler()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self.persistent_workers = persistent_workers
        self.__initialized = True
        self._IterableDataset_len_called = None
        self._iterator = None
        self.check_worker_number_rationality()

    def __setattr__(self, name, value):
        fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
        if self.__initialized and name in fixed:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self):
        """How workers are started: a context, or None for the default."""
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context):
        if context is not None:
            if self.num_workers == 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                    f"num_workers={self.num_workers}"
                )
            if isinstance(context, str):
                methods = multiprocessing.get_all_start_methods()
                if context not in methods:
                    raise ValueError(
                        f"multiprocessing_context option should specify a valid start method in {methods!r}, but got "
                        f"multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, multiprocessing.context.BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string specifying the start method, but got "
                    f"multiprocessing_context={context}"
                )
        self.__multiprocessing_context = context

    @property
    def _auto_collation(self):
        return self.batch_sampler is not None

    @property
    def _index_sampler(self):
        return self.batch_sampler if self._auto_collation else self.sampler

    def __iter__(self):
        if not self.persistent_workers:
            return self._get_iterator()
        if self._iterator is None or not self._iterator._finalizer.alive:  # none yet, or its workers were stopped by an error
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def _get_iterator(self):
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        self.check_worker_number_rationality()
        return _MultiProcessingDataLoaderIter(self)

    def __len__(self):
        if self._dataset_kind != _DatasetKind.Iterable:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)

    def check_worker_number_rationality(self):
        """Warn where there are more workers than processors."""
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        if self.num_workers > (processors or 1):
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested max number of worker in current "
                f"system is {processors}, which is smaller than what this DataLoader is going to create. Please be aware that excessive "
                "worker creation might get DataLoader running slow or even freeze, lower the worker number to avoid potential "
                "slowness/freeze if necessary.",
                stacklevel=2,
            )


class _BaseDataLoaderIter:
    """What both iterators over a loader have."""

    def __init__(self, loader):
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._auto_collation = loader._auto_collation
        self._drop_last = loader.drop_last
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._timeout = loader.timeout
        self._collate_fn = loader.collate_fn
        if loader.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be used.", stacklevel=2
            )
        self._base_seed = random_seed(loader.generator)
        self._reset(loader)

    def _reset(self, loader):
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def __iter__(self):
        return self

    def __len__(self):
        return len(self._index_sampler)

    def __getstate__(self):
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")

    def __next__(self):
        data = self._next_data()
        self._num_yielded += 1
        reported = self._IterableDataset_len_called
        if self._dataset_kind == _DatasetKind.Iterable and reported is not None and self._num_yielded > reported:
            text = (
                f"Length of IterableDataset {self._dataset} was reported to be {reported}(when accessing len(dataloader)), but "
                f"{self._num_yielded} samples have been fetched. "
            )
            if self._num_workers > 0:
                text += (
                    "For multiprocessing data-loading, this could be caused by not properly configuring the IterableDataset replica at each "
                    "worker. Please see https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset for examples."
                )
            warnings.warn(text, stacklevel=2)
        return data


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Fetches each batch when it is asked for."""

    def __init__(self, loader):
        if loader.timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        super().__init__(loader)
        self._fetcher = _DatasetKind.create_fetcher(
            self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn, self._drop_last
        )

    def _next_data(self):
        return self._fetcher.fetch(next(self._sampler_iter))


class _Worker:
    """A worker as the iterator sees it."""

    def __init__(self, process, channel):
        self.process = process
        self.channel = channel
        self.active = True  # whether it can get further tasks in this epoch
        self.tasks = 0  # that it has


def _stop(workers, owner):
    """End worker processes; those that do not end by themselves are killed."""
    if os.getpid() != owner:
        return  # a copy in a forked process: the workers are not its own
    for worker in workers:
        try:
            worker.channel.send(None)
        except OSError:
            pass  # it is gone
        worker.channel.close()
    # The main thread is over when the interpreter ends, maybe after Ctrl-C: nobody wants what the workers are at.
    grace = _GRACE if threading.main_thread().is_alive() else _GRACE_AT_EXIT
    for end in (lambda process: None, lambda process: process.terminate(), lambda process: process.kill()):
        deadline = time.monotonic() + grace
        for worker in workers:
            if worker.process.is_alive():
                end(worker.process)
                worker.process.join(max(0, deadline - time.monotonic()))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Gives out tasks to workers in turn, a few ahead, and returns the batches in the order of the tasks."""

    def __init__(self, loader):
        if loader.prefetch_factor <= 0:
            raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")
        self._prefetch_factor = loader.prefetch_factor
        self._in_order = loader.in_order
        self._persistent_workers = loader.persistent_workers
        self._context = loader.multiprocessing_context or multiprocessing
        self._epoch = -1
        self._workers = []
        # Also at the end of the interpreter, while everything that stopping needs is there.
        self._finalizer = weakref.finalize(self, _stop, self._workers, os.getpid())
        super().__init__(loader)

    def _start_workers(self, init_fn):
        if get_sharing_strategy() == "file_system":
            session_folder()  # forked workers use this one and make none of their own
        for number in range(self._num_workers):
            ours, theirs = self._context.Pipe(duplex=True)
            channel = Channel(theirs)
            process = self._context.Process(
                target=worker_loop,
                args=(
                    channel, self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn, self._drop_last, self._base_seed,
                    init_fn, number, self._num_workers,
                ),
                daemon=True,
            )  # fmt: skip
            try:
                process.start()
            except (TypeError, AttributeError, PicklingError):
                ours.close()
                warnings.warn(
                    "Got pickle error when attempting to start a worker Process. This might be because the worker Process arguments are not "
                    "picklable. You can also try multiprocessing.set_start_method('fork').",
                    stacklevel=2,
                )
                self._finalizer()
                raise
            finally:
                channel.close()  # before the next fork: only the worker has it, so that its end is the end of the stream
            self._workers.append(_Worker(process, Channel(ours)))

    def _reset(self, loader):
        super()._reset(loader)
        self._epoch += 1
        self._sent = 0  # tasks of this epoch
        self._returned = 0  # the place of the next batch to return
        self._pending = {}  # by place: the worker of each task whose batch was not returned
        self._arrived = {}  # by place: batches that came before their turn
        self._messages = deque()
        if self._workers:
            for worker in self._workers:
                worker.active, worker.tasks = True, 0
                self._send(worker, Resume(self._epoch))
        else:
            self._start_workers(loader.worker_init_fn)
        self._turns = itertools.cycle(self._workers)
        for _ in range(self._prefetch_factor * self._num_workers):
            self._send_task()

    def _send_task(self):
        """Give the next task to the next worker that can take one, if there are both."""
        try:
            index = next(self._sampler_iter)
        except StopIteration:
            return
        active = sum(worker.active for worker in self._workers)
        for worker in itertools.islice(self._turns, self._num_workers):
            if worker.active and (self._in_order or worker.tasks < self._prefetch_factor * self._num_workers // active):
                break
        else:
            return
        self._send(worker, Task(self._epoch, self._sent, index))
        worker.tasks += 1
        self._pending[self._sent] = worker
        self._sent += 1

    def _send(self, worker, message):
        try:
            worker.channel.send(message)
            return
        except (BrokenPipeError, ConnectionResetError):
            pass
        raise self._failure([worker])

    def _next_data(self):
        while self._finalizer.alive and self._pending:
            if self._in_order:
                while self._returned not in self._pending:
                    self._returned += 1  # its worker's data set ended
                if self._returned in self._arrived:
                    return self._finished(self._returned, self._arrived.pop(self._returned))
            result = self._next_result()
            if isinstance(result.data, EndOfDataset):
                self._end_of_dataset(result)
            elif not self._in_order or result.place == self._returned:
                return self._finished(result.place, result.data)
            else:
                self._arrived[result.place] = result.data
        if not self._persistent_workers:
            self._finalizer()
        raise StopIteration

    def _end_of_dataset(self, result):
        """Drop the tasks that a worker will not do any more, but for those whose batches are there already."""
        worker = self._workers[result.data.worker_id]
        worker.active = False
        for place in [p for p, w in self._pending.items() if w is worker and p not in self._arrived]:
            del self._pending[place]
        if not self._persistent_workers:
            self._send(worker, None)
        self._send_task()

    def _finished(self, place, data):
        worker = self._pending.pop(place)
        worker.tasks -= 1
        self._send_task()
        if isinstance(data, ExceptionWrapper):
            data.reraise()
        return data

    def _next_result(self):
        """The next message of this epoch from any worker."""
        while True:
            while self._messages:
                result = self._messages.popleft()
                if result.epoch == self._epoch:
                    return result
            active = [worker for worker in self._workers if worker.active]
            ready = wait([w.channel for w in active] + [w.process.sentinel for w in active], self._timeout or None)
            if not ready:
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
            gone = []
            for worker in active:
                try:
                    if worker.channel in ready:
                        self._messages.append(worker.channel.recv())
                    elif worker.process.sentinel in ready:
                        gone.append(worker)
                except (EOFError, ConnectionResetError):
                    gone.append(worker)
            if gone and not self._messages:
                raise self._failure(gone)

    def _failure(self, workers):
        """The error for workers that ended before their time; the others are stopped."""
        for worker in workers:
            worker.process.join(_GRACE)
        pids = ", ".join(str(worker.process.pid) for worker in workers)
        error = RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly")
        code = workers[0].process.exitcode
        if code is not None and code < 0:
            error.__cause__ = RuntimeError(f"DataLoader worker (pid {workers[0].process.pid}) is killed by signal: {-code}.")
        elif code is not None:
            error.__cause__ = RuntimeError(
                f"DataLoader worker (pid {workers[0].process.pid}) exited with exit code {code}. Details are lost due to multiprocessing. "
                "Rerunning with num_workers=0 may give better error trace."
            )
        self._finalizer()
        return error
