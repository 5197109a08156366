"""What runs in a loader's worker processes.

A worker gets tasks over a channel and sends back batches. A thread takes the tasks from the channel as they come, so that the loader never
waits when it sends one, and ends the process when the loader's process is gone.
"""

import os
import queue
import random
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

import runtime
from runtime.utils.data.fetch import _DatasetKind
from runtime.utils.exceptions import ExceptionWrapper

MP_STATUS_CHECK_INTERVAL = 1.0  # seconds between looks whether the loader's process is there


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker can know about itself.

    Attributes
    ----------
    id, num_workers : int
        Which worker of how many.
    seed : int
        What Python's and this runtime's generators were seeded with here.
    dataset : Dataset
        The copy in this process.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker_info = None


def get_worker_info():
    """In a worker its `WorkerInfo`, elsewhere None."""
    return _worker_info


@dataclass(frozen=True)
class Task:
    """A batch to fetch: the place in the epoch, and what the sampler gave."""

    epoch: int
    place: int
    index: Any


@dataclass(frozen=True)
class Resume:
    """From now on tasks belong to another epoch."""

    epoch: int


@dataclass(frozen=True)
class Result:
    """What a task gave: a batch, an ExceptionWrapper or an EndOfDataset."""

    epoch: int
    place: int
    data: Any


@dataclass(frozen=True)
class EndOfDataset:
    """A worker's iterable data set has no more samples."""

    worker_id: int


def _generate_state(base_seed, worker_id):
    """The seed of NumPy's generator in a worker: four words, mixed from both numbers."""
    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return np.random.SeedSequence(words).generate_state(4).tolist()


def _receive_tasks(channel, tasks, parent):
    while True:
        try:
            if channel.poll(MP_STATUS_CHECK_INTERVAL):
                message = channel.receive()
            elif os.getppid() == parent:
                continue
            else:
                os._exit(1)  # nobody is left who would take what the main thread may be about to send
        except (EOFError, OSError):
            message = None
        tasks.put(message)
        if message is None:
            return


def worker_loop(channel, kind, dataset, auto_collation, collate_fn, drop_last, base_seed, init_fn, worker_id, num_workers):
    """The life of a worker: it ends when it gets None for a task, or the channel is closed."""
    global _worker_info
    try:
        tasks = queue.SimpleQueue()
        threading.Thread(target=_receive_tasks, args=(channel, tasks, os.getppid()), daemon=True).start()
        runtime.set_num_threads(1)
        seed = base_seed + worker_id
        random.seed(seed)
        runtime.manual_seed(seed)
        np.random.seed(_generate_state(base_seed, worker_id))
        _worker_info = WorkerInfo(worker_id, num_workers, seed, dataset)
        where = f"in DataLoader worker process {worker_id}"
        failure = None
        try:
            if init_fn is not None:
                init_fn(worker_id)
        except Exception:
            failure = ExceptionWrapper(where=where)
        fetcher = None
        ended = False
        while (message := tasks.get()) is not None:
            task = channel.unpack(message)
            del message
            if task is None:
                return
            if isinstance(task, Resume):
                fetcher, ended = None, False
                continue
            if ended:
                continue
            try:
                if failure is not None:
                    data, failure = failure, None
                else:
                    if fetcher is None:
                        fetcher = _DatasetKind.create_fetcher(kind, dataset, auto_collation, collate_fn, drop_last)
                    data = fetcher.fetch(task.index)
            except Exception as error:
                if isinstance(error, StopIteration) and kind == _DatasetKind.Iterable:
                    data = EndOfDataset(worker_id)
                    ended = True
                else:
                    data = ExceptionWrapper(where=where)
            try:
                channel.send(Result(task.epoch, task.place, data))
            except (BrokenPipeError, ConnectionResetError):
                return
            except Exception:
                channel.send(Result(task.epoch, task.place, ExceptionWrapper(where=where)))
            del data, task  # their memory goes while the worker waits
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        pass  # the user interrupts all processes, or the loader is gone
