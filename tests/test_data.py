"""Data sets, samplers and loaders, in one process and with workers. Loaders with workers have a timeout, so that nothing here can hang."""

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import warnings
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import runtime
from runtime.testing.two_tensor import TwoTensor
from runtime.utils import data
from runtime.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)
from runtime.utils.data.worker import _generate_state

TIMEOUT = 60


@pytest.fixture(autouse=True)
def _no_warning_about_the_number_of_processors():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")
        yield


def with_workers(dataset, num_workers=2, **options):
    return DataLoader(dataset, num_workers=num_workers, timeout=TIMEOUT, **options)


class Numbers(Dataset):
    """The numbers below n, by a function."""

    def __init__(self, n, function=lambda i: i):
        self.n = n
        self.function = function

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.function(i)


class Stream(IterableDataset):
    """The numbers below n; each of several workers has its share."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __iter__(self):
        info = get_worker_info()
        return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers))


def batches(loader):
    return [x.tolist() for x in loader]


# ------------------------------------------------------------------------------------------------------------------------ data sets


def test_a_tensor_dataset_has_rows_of_tensors():
    x, y = runtime.arange(6).view(3, 2), runtime.ones(3)
    ds = TensorDataset(x, y)
    assert len(ds) == 3 and [part.tolist() for part in ds[1]] == [[2, 3], 1.0]
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(x, runtime.ones(2))


def test_concatenated_datasets_are_indexed_as_one():
    ds = Numbers(3) + Numbers(0) + Numbers(2, lambda i: i + 10)
    assert [ds[i] for i in range(-5, 5)] == [0, 1, 2, 10, 11] * 2 and len(ds) == 5
    with pytest.raises(ValueError, match="absolute value of index"):
        ds[-6]
    with pytest.raises(AssertionError, match="empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Stream(2)])


def test_iterable_datasets_are_chained():
    ds = Stream(2) + Stream(3)
    assert isinstance(ds, ChainDataset) and list(ds) == [0, 1, 0, 1, 2] and len(ds) == 5
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([Numbers(1)]))


def test_stacked_datasets_have_tuples_or_dicts():
    class AtOnce(Numbers):
        def __getitems__(self, indices):
            return [-i for i in indices]

    tuples, dicts = StackDataset(Numbers(3), AtOnce(3)), StackDataset(a=Numbers(3), b=AtOnce(3))
    assert tuples[2] == (2, 2) and tuples.__getitems__([1, 2]) == [(1, -1), (2, -2)]
    assert dicts[2] == {"a": 2, "b": 2} and dicts.__getitems__([1]) == [{"a": 1, "b": -1}] and len(dicts) == 3
    AtOnce.__getitems__ = lambda self, indices: [0]
    with pytest.raises(ValueError, match="Nested dataset's output size mismatch. Expected 2, got 1"):
        tuples.__getitems__([1, 2])
    for args, kwargs, text in (((), {}, "At least one"), ((Numbers(1),), {"a": Numbers(1)}, "both types"), ((Numbers(1), Numbers(2)), {}, "Size")):
        with pytest.raises(ValueError, match=text):
            StackDataset(*args, **kwargs)


def test_a_subset_has_samples_at_indices():
    ds = Subset(Numbers(10, lambda i: i * i), [3, 1])
    assert len(ds) == 2 and ds[0] == 9 and ds.__getitems__([1, 0]) == [1, 9]
    assert Subset(TensorDataset(runtime.arange(5)), [4, 2])[[0, 1]][0].tolist() == [4, 2]

    class Half(Subset):
        def __getitem__(self, idx):
            return super().__getitem__(idx)

    with pytest.raises(NotImplementedError, match="Half overrides __getitem__ but not __getitems__"):
        Half(Numbers(2), [0])


def test_a_random_split_covers_the_dataset():
    parts = random_split(range(10), [3, 7], runtime.Generator().manual_seed(1))
    assert [len(p) for p in parts] == [3, 7] and sorted(i for p in parts for i in p) == list(range(10))
    assert [len(p) for p in random_split(range(10), [0.3, 0.3, 0.4])] == [3, 3, 4]
    assert [len(p) for p in random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    again = random_split(range(10), [3, 7], runtime.Generator().manual_seed(1))
    assert [p.indices for p in again] == [p.indices for p in parts]
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(1), [0.5, 0.5])
    with pytest.raises(ValueError, match="does not equal the length"):
        random_split(range(3), [1, 1])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(range(3), [-0.5, 1.5])


def test_the_base_classes_leave_their_methods_to_subclasses():
    with pytest.raises(NotImplementedError):
        Dataset()[0]
    with pytest.raises(NotImplementedError):
        iter(Sampler())
    with pytest.raises(TypeError):
        len(Dataset())
    assert Dataset[int] and IterableDataset[int] and Sampler[int] and DataLoader[int]


# ------------------------------------------------------------------------------------------------------------------------- samplers


def test_samplers_give_orders_of_their_kind():
    generator = runtime.Generator().manual_seed(0)
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    assert sorted(RandomSampler(range(9))) == list(range(9))
    once = list(RandomSampler(range(4), num_samples=10, generator=generator))
    assert sorted(once[:4]) == sorted(once[4:8]) == [0, 1, 2, 3] and len(once) == 10
    often = list(RandomSampler(range(4), replacement=True, num_samples=70, generator=generator))
    assert len(often) == 70 and set(often) == {0, 1, 2, 3}
    assert sorted(SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]
    assert set(WeightedRandomSampler([0, 1, 0, 3], 50)) == {1, 3}
    assert sorted(WeightedRandomSampler([1, 1, 1], 3, replacement=False)) == [0, 1, 2]
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert [len(BatchSampler(range(5), 2, drop)) for drop in (False, True)] == [3, 2]


def test_a_seeded_generator_fixes_the_order():
    def orders(generator):
        yield list(RandomSampler(range(50), generator=generator))
        yield list(RandomSampler(range(50), replacement=True, generator=generator))
        yield list(SubsetRandomSampler(range(50), generator))
        yield list(WeightedRandomSampler(range(1, 51), 20, generator=generator))
        yield [x.item() for x in DataLoader(range(50), shuffle=True, generator=generator)]

    first = list(orders(runtime.Generator().manual_seed(3)))
    assert first == list(orders(runtime.Generator().manual_seed(3)))
    assert first[0] == runtime.randperm(50, generator=runtime.Generator().manual_seed(3)).tolist()
    runtime.manual_seed(4)
    epochs = [list(RandomSampler(range(50))) for _ in range(2)]
    runtime.manual_seed(4)
    assert epochs == [list(RandomSampler(range(50))) for _ in range(2)] and epochs[0] != epochs[1]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: RandomSampler(range(3), replacement=1), TypeError, "replacement should be a boolean value, but got replacement=1"),
        (lambda: RandomSampler(range(3), num_samples=0), ValueError, "num_samples should be a positive integer value, but got num_samples=0"),
        (lambda: RandomSampler([]), ValueError, "num_samples should be a positive integer value"),
        (lambda: WeightedRandomSampler([1], True), ValueError, "num_samples should be a positive integer value, but got num_samples=True"),
        (lambda: WeightedRandomSampler([1], 1, 1), ValueError, "replacement should be a boolean value"),
        (lambda: WeightedRandomSampler([[1]], 1), ValueError, r"weights should be a 1d sequence but given weights have shape \(1, 1\)"),
        (lambda: BatchSampler([1], 0, False), ValueError, "batch_size should be a positive integer value, but got batch_size=0"),
        (lambda: BatchSampler([1], 1, 0), ValueError, "drop_last should be a boolean value, but got drop_last=0"),
        (lambda: DistributedSampler(range(3), 2, 2), ValueError, r"Invalid rank 2, rank should be in the interval \[0, 1\]"),
        (lambda: DistributedSampler(range(3)), RuntimeError, "Requires distributed package to be available"),
    ],
)
def test_arguments_of_samplers_are_checked(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("drop_last", [False, True])
def test_distributed_samplers_share_the_samples(n, drop_last):
    for shuffle in (False, True):
        parts = [DistributedSampler(range(n), 4, rank, shuffle, 1, drop_last) for rank in range(4)]
        taken = [i for p in parts for i in p]
        assert len({len(list(p)) for p in parts}) == 1 and all(len(list(p)) == len(p) for p in parts)
        assert set(taken) == set(range(n)) if not drop_last else len(set(taken)) == len(taken)
    sampler = DistributedSampler(range(50), 1, 0)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first and sorted(sampler) == list(range(50))


# ------------------------------------------------------------------------------------------------------------------------ collating

Point = namedtuple("Point", "x y")


def test_batches_keep_the_structure_of_samples():
    sample = {"t": runtime.ones(2), "n": np.zeros(2), "f": 1.0, "i": 2, "c": True, "s": "a", "b": b"b"}
    sample |= {"p": Point(1, 2.0), "u": (1, 2), "l": [3, (4,)]}
    batch = default_collate([sample, sample])
    assert batch["t"].shape == batch["n"].shape == (2, 2) and batch["n"].dtype is runtime.float64
    assert batch["f"].dtype is runtime.float64 and batch["i"].tolist() == [2, 2] and batch["c"].dtype is runtime.bool
    assert batch["s"] == ["a", "a"] and batch["b"] == [b"b", b"b"]
    assert type(batch["p"]) is Point and batch["p"].y.tolist() == [2.0, 2.0]
    assert type(batch["u"]) is list and batch["u"][1].tolist() == [2, 2] and batch["l"][1][0].tolist() == [4, 4]
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict
    assert default_collate([np.float32(1), np.float32(2)]).dtype is runtime.float32
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        default_collate([[1], [1, 2]])
    for wrong in (object(), np.array(["a"]), None):
        with pytest.raises(TypeError, match="default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found"):
            default_collate([wrong, wrong])


def test_further_types_can_be_collated():
    class Own:
        pass

    functions = {**data.collate.default_collate_fn_map, Own: lambda batch, *, collate_fn_map=None: len(batch)}
    assert data.collate.collate([[Own(), 1], [Own(), 2]], collate_fn_map=functions)[0] == 2


def test_converting_makes_tensors_of_arrays_only():
    given = {"a": np.ones(2), "b": [1, "x", np.int64(3)], "c": (np.zeros(1),), "d": Point(1, np.ones(1)), "e": np.array(["x"])}
    converted = default_convert(given)
    assert isinstance(converted["a"], runtime.Tensor) and converted["b"][:2] == [1, "x"] and isinstance(converted["b"][2], runtime.Tensor)
    assert type(converted["c"]) is list and type(converted["d"]) is Point and isinstance(converted["d"].y, runtime.Tensor)
    assert isinstance(converted["e"], np.ndarray)


# -------------------------------------------------------------------------------------------------------------------------- loaders


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_loader_gives_batches_in_order(num_workers):
    options = {"num_workers": num_workers, "timeout": TIMEOUT if num_workers else 0}
    assert batches(DataLoader(range(7), 3, **options)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches(DataLoader(range(7), 3, drop_last=True, **options)) == [[0, 1, 2], [3, 4, 5]]
    assert list(DataLoader(range(3), None, **options)) == [0, 1, 2]
    assert batches(DataLoader(range(7), sampler=[5, 2], **options)) == [[5], [2]]
    assert batches(DataLoader(range(7), batch_sampler=[[5, 2], [1]], **options)) == [[5, 2], [1]]
    assert list(DataLoader(range(4), 2, collate_fn=sum, **options)) == [1, 5]
    shuffled = DataLoader(range(20), 4, shuffle=True, **options)
    orders = [sum(batches(shuffled), []) for _ in range(2)]
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1]) == list(range(20))
    assert len(shuffled) == len(iter(shuffled)) == 5


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_stream_is_loaded_until_it_ends(num_workers):
    options = {"num_workers": num_workers, "timeout": TIMEOUT if num_workers else 0}
    assert batches(DataLoader(Stream(5), 2, **options)) == [[0, 1], [2, 3], [4]]
    assert batches(DataLoader(Stream(5), 2, drop_last=True, **options)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), None, **options)) == [0, 1, 2]
    assert [len(DataLoader(Stream(5), 2, drop_last=drop)) for drop in (False, True)] == [3, 2]


def test_workers_share_a_stream_in_turns():
    assert batches(with_workers(Stream(7), batch_size=2)) == [[0, 2], [1, 3], [4, 6], [5]]
    uneven = with_workers(Stream(3), num_workers=4)
    assert sorted(sum(batches(uneven), [])) == [0, 1, 2]


def test_a_dataset_is_asked_for_a_whole_batch_if_it_can():
    class AtOnce(Numbers):
        def __getitems__(self, indices):
            return [i * 10 for i in indices]

    assert batches(DataLoader(AtOnce(4), 2)) == [[0, 10], [20, 30]]


def test_a_length_that_was_wrong_is_told():
    class Longer(Stream):
        def __iter__(self):
            return iter(range(self.n + 1))

    for loader, more in ((DataLoader(Longer(2)), ""), (with_workers(Longer(2), 1), "IterableDataset replica at each worker")):
        assert len(loader) == 2
        with pytest.warns(UserWarning, match=f"was reported to be 2.*but 3 samples have been fetched.*{more}"):
            list(loader)


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow), pytest.param("forkserver", marks=pytest.mark.slow)])
def test_batches_of_workers_are_in_shared_memory(method):
    ds = TensorDataset(runtime.arange(40).view(20, 2), runtime.ones(20, 1000))
    loaded = list(with_workers(ds, batch_size=4, multiprocessing_context=method))
    assert [x[0].tolist() for x in loaded] == [ds.tensors[0][i : i + 4].tolist() for i in range(0, 20, 4)]
    assert all(x.is_shared() and y.is_shared() and y.sum() == 4000 for x, y in loaded)
    assert loaded[0][0].untyped_storage().nbytes() == 4 * 2 * 8


def test_persistent_workers_serve_all_epochs():
    loader = with_workers(Numbers(6, lambda i: os.getpid()), persistent_workers=True)
    epochs = [batches(loader) for _ in range(3)]
    assert epochs[0] == epochs[1] == epochs[2] and len({pid for (pid,) in epochs[0]}) == 2
    half = iter(with_workers(Numbers(20), persistent_workers=True, batch_size=2))
    next(half)
    loader = with_workers(Stream(9), batch_size=2, persistent_workers=True)
    for _ in range(3):
        iterator = iter(loader)
        assert next(iterator).tolist() == [0, 2]
    assert sorted(sum(batches(loader), [])) == list(range(9))


def slow_first(i):
    if i == 0:
        time.sleep(0.2)
    return i


def test_batches_may_come_as_they_are_ready():
    assert batches(with_workers(Numbers(6, slow_first), in_order=True))[0] == [0]
    loose = batches(with_workers(Numbers(6, slow_first), in_order=False))
    assert sorted(loose) == [[i] for i in range(6)] and loose.index([0]) == 4  # after all that the other worker could do


def test_workers_know_themselves_and_have_seeds_of_their_own():
    def look(i):
        info = get_worker_info()
        drawn = random.random(), float(runtime.rand(1)), np.random.rand()
        return info.id, info.num_workers, info.seed, type(info.dataset).__name__, drawn, runtime.get_num_threads()

    def looks(seed):
        generator = runtime.Generator().manual_seed(seed)
        return list(with_workers(Numbers(2, look), batch_size=None, generator=generator, collate_fn=tuple))

    first, second = looks(1)
    assert (first[:2], second[:2]) == ((0, 2), (1, 2)) and second[2] == first[2] + 1 and first[3] == "Numbers" and first[5] == 1
    assert all(a != b for a, b in zip(first[4], second[4]))
    assert looks(1) == [first, second] and looks(2) != [first, second]
    expected = random.Random(first[2]).random(), float(runtime.rand(1, generator=runtime.Generator().manual_seed(first[2])))
    assert first[4][:2] == expected and first[4][2] == np.random.RandomState(_generate_state(first[2], 0)).rand()
    assert get_worker_info() is None


def test_an_init_function_runs_in_each_worker():
    def init(worker_id):
        get_worker_info().dataset.n = worker_id + 10

    assert list(with_workers(Numbers(4, lambda i: get_worker_info().dataset.n), batch_size=None, worker_init_fn=init)) == [10, 11, 10, 11]

    def fail(worker_id):
        raise ValueError("no start")

    with pytest.raises(ValueError, match="(?s)Caught ValueError in DataLoader worker process 0.*no start"):
        list(with_workers(Numbers(4), worker_init_fn=fail))


class NeedsTwo(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


def test_exceptions_of_workers_are_raised_with_their_traceback():
    def fail(i):
        if i == 1:
            raise KeyError("no such key")
        if i == 2:
            raise NeedsTwo(1, 2)
        if i == 3:
            return lambda: 0
        return i

    iterator = iter(with_workers(Numbers(5, fail), batch_size=None))
    assert next(iterator) == 0
    with pytest.raises(KeyError, match="(?s)^Caught KeyError in DataLoader worker process 1.\nOriginal Traceback .*no such key"):
        next(iterator)
    with pytest.raises(RuntimeError, match="(?s)Caught NeedsTwo in DataLoader worker process 0"):
        next(iterator)
    with pytest.raises(Exception, match="(?s)in DataLoader worker process 1.*pickle"):
        next(iterator)
    assert next(iterator) == 4
    with pytest.raises(StopIteration):
        next(iterator)


@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(3)])
def test_the_end_of_a_worker_is_an_error_at_once(end):
    def fetch(i):
        if i == 3:
            end()
        return i

    iterator = iter(with_workers(Numbers(8, fetch), batch_size=None))
    started = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly") as caught:
        list(iterator)
    assert time.monotonic() - started < 4
    assert "killed by signal: 9" in str(caught.value.__cause__) or "exit code 3" in str(caught.value.__cause__)
    with pytest.raises(StopIteration):
        next(iterator)


def test_a_loader_starts_new_workers_after_one_was_killed():
    deadly = runtime.ones(1).share_memory_()
    loader = with_workers(Numbers(4, lambda i: os._exit(1) if deadly else i), persistent_workers=True)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(loader)
    deadly.zero_()
    assert batches(loader) == batches(loader) == [[0], [1], [2], [3]]


def test_a_worker_that_takes_too_long_is_an_error():
    loader = DataLoader(Numbers(2, lambda i: time.sleep(30)), num_workers=1, timeout=0.2)
    iterator = iter(loader)
    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.2 seconds"):
        next(iterator)
    iterator._workers[0].process.terminate()


def test_workers_end_with_their_iterator():
    iterator = iter(with_workers(Numbers(100)))
    next(iterator)
    processes = [worker.process for worker in iterator._workers]
    assert all(process.is_alive() for process in processes)
    del iterator
    assert not any(process.is_alive() for process in processes)


PROGRAM = """
import os, sys
from runtime.utils.data import DataLoader
def fetch(items):
    return items
loaders = [DataLoader(range(100), num_workers=2, persistent_workers=p, collate_fn=fetch) for p in (False, True)]
iterators = [iter(loader) for loader in loaders]
for iterator in iterators:
    next(iterator)
print([w.process.pid for i in iterators for w in i._workers], flush=True)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), 9)
"""


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the system does not list processes")
@pytest.mark.parametrize("how", ["end", "kill"])
def test_a_program_that_ends_leaves_no_workers(how):
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM, how], capture_output=True, text=True, timeout=TIMEOUT)
    assert run.stderr == ""
    until = time.monotonic() + 20
    while any(map(runs, json.loads(run.stdout))):
        assert time.monotonic() < until, "workers are left"
        time.sleep(0.05)


def test_the_number_of_batches_fetched_ahead_is_limited():
    seen = runtime.zeros(100, dtype=runtime.int64).share_memory_()

    def note(i):
        seen[i] = 1
        return i

    iterator = iter(with_workers(Numbers(100, note), prefetch_factor=3))
    for _ in range(200):
        if seen.sum() == 6:
            break
        time.sleep(0.01)
    time.sleep(0.05)
    assert seen.sum() == 6
    next(iterator)


def test_samples_of_wrapper_classes_keep_their_dtype():
    sample = TwoTensor(runtime.randperm(5), runtime.randperm(5))
    for batch in with_workers([sample, sample], batch_size=2, collate_fn=list):
        assert [type(x) for x in batch] == [TwoTensor] * 2 and batch[0].dtype is runtime.int64
        assert batch[1].a.tolist() == sample.a.tolist()


def test_a_dataset_that_cannot_be_pickled_cannot_be_sent_to_a_new_interpreter():
    loader = with_workers(Numbers(2, lambda i: i), multiprocessing_context="spawn")
    with pytest.warns(UserWarning, match="Got pickle error when attempting to start a worker"), pytest.raises((AttributeError, pickle.PicklingError)):
        iter(loader)


def test_loaders_can_be_nested_in_workers_datasets():
    total = sum(x.sum().item() for x in with_workers(Numbers(2, lambda i: next(iter(DataLoader(range(10), 10)))), batch_size=None))
    assert total == 90


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"num_workers": -1}, ValueError, "num_workers option should be non-negative"),
        ({"timeout": -1}, ValueError, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor option could only be specified in multiprocessing"),
        ({"prefetch_factor": -2, "num_workers": 1}, ValueError, "prefetch_factor option should be non-negative"),
        ({"persistent_workers": True}, ValueError, "persistent_workers option needs num_workers > 0"),
        ({"sampler": [1], "shuffle": True}, ValueError, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "shuffle": True}, ValueError, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, ValueError, "batch_size=None option disables auto-batching"),
        ({"multiprocessing_context": "fork"}, ValueError, "multiprocessing_context can only be used with multi-process loading"),
        ({"multiprocessing_context": "none", "num_workers": 1}, ValueError, "should specify a valid start method"),
        ({"multiprocessing_context": 3, "num_workers": 1}, TypeError, "should be a valid context object"),
        ({"dataset": Stream(1), "shuffle": True}, ValueError, "expected unspecified shuffle option, but got shuffle=True"),
        ({"dataset": Stream(1), "sampler": [1]}, ValueError, "expected unspecified sampler option"),
        ({"dataset": Stream(1), "batch_sampler": [[1]]}, ValueError, "expected unspecified batch_sampler option"),
    ],
)
def test_options_of_a_loader_are_checked(options, error, text):
    with pytest.raises(error, match=text):
        DataLoader(**{"dataset": range(3), **options})


def test_a_loader_is_fixed_once_it_is_made():
    loader = DataLoader(range(3))
    for name in ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"):
        with pytest.raises(ValueError, match=f"{name} attribute should not be set after DataLoader is initialized"):
            setattr(loader, name, None)
    loader.num_workers = 0
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        pickle.dumps(iter(loader))


def test_pinned_memory_and_too_many_workers_are_warned_of():
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true but no accelerator is found"):
        list(DataLoader(range(1), pin_memory=True))
    with pytest.warns(UserWarning, match="This DataLoader will create 10000 worker processes in total. Our suggested max number"):
        DataLoader(range(1), num_workers=10000)


# --------------------------------------------------------------------------------------------------------------- beside PyTorch


def programs(m, num_workers):
    """Uses of a runtime's data tools, in values that can be compared; nothing random, for the generators differ."""
    d = m.utils.data

    class Own(d.IterableDataset):
        def __len__(self):
            return 5

        def __iter__(self):
            info = d.get_worker_info()
            return iter(range(10) if info is None else range(info.id, 11, info.num_workers))

    def attempt(function):
        try:
            return function()
        except Exception as error:
            return type(error).__name__, str(error).split(" Original")[0].split("\n")[0]

    def shown(value):
        if isinstance(value, m.Tensor):
            return value.dtype == m.int64, value.tolist()
        if isinstance(value, dict):
            return type(value).__name__, {k: shown(v) for k, v in value.items()}
        return (type(value).__name__, [shown(v) for v in value]) if isinstance(value, (list, tuple)) else value

    ds = d.TensorDataset(m.arange(11), m.arange(22).view(11, 2))
    samples = [[1, 2], [1.5, 2.5], ["a", "b"], [b"a"], [(1, 2.0), (3, 4.0)], [{"a": 1}, {"a": 2}], [[1, [2]], [3, [4]]], [True, False],
               [np.ones(2), np.zeros(2)], [np.int8(1), np.int8(2)], [Point(1, 2), Point(3, 4)], [None], [[1], [1, 2]], [], [np.array("a")],
               [m.ones(2), m.ones(3)], [1, 2.5], [1, "a"], [range(2), range(2)], [OrderedDict(b=1, a=2)], [object]]  # fmt: skip
    for sample in samples:
        yield attempt(lambda s=sample: shown(d.default_collate(s)))
        yield attempt(lambda s=sample: shown(d.default_convert(s)))
    options = {"num_workers": num_workers, "timeout": TIMEOUT if num_workers else 0}
    sizes = {}, {"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {"batch_size": None}
    for more in (*sizes, {"sampler": [3, 1]}, {"batch_sampler": [[1], [2, 3]]}):
        loader = d.DataLoader(ds, **options, **more)
        yield len(loader), [shown(x) for x in loader]
    for more in sizes:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loader = d.DataLoader(Own(), **options, **more)
            yield attempt(lambda ld=loader: len(ld)), [shown(x) for x in loader]
        texts = [str(w.message) for w in caught if "Length of Iter" in str(w.message)]
        yield [text.split(" was reported")[1] for text in texts]
    for index in (3, 12):
        yield attempt(lambda o=options, i=index: list(d.DataLoader(range(10), sampler=[1, i], **o)))
    for n in (1, 5, 8):
        for drop in (False, True):
            yield [list(d.DistributedSampler(range(n), 3, rank, shuffle=False, drop_last=drop)) for rank in range(3)]
    bad = [
        lambda: d.DataLoader(range(3), num_workers=-1), lambda: d.DataLoader(range(3), prefetch_factor=2), lambda: d.BatchSampler([1], 0, True),
        lambda: d.RandomSampler([]), lambda: d.Subset([1], [3])[0], lambda: d.ConcatDataset([]), lambda: d.StackDataset(),
        lambda: d.random_split([1, 2], [1, 3]), lambda: d.Dataset()[0], lambda: d.DataLoader(range(3), batch_size=0),
        lambda: d.DistributedSampler([1], 2, 5),
        lambda: d.DataLoader(range(3), multiprocessing_context="fork"), lambda: list(d.DataLoader(3)), lambda: d.DataLoader(3, shuffle=True),
    ]  # fmt: skip
    for function in bad:
        yield attempt(function)


@pytest.mark.oracle
@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_loaders_and_collating_are_pytorchs(num_workers):
    torch = pytest.importorskip("torch")
    for i, (ours, theirs) in enumerate(zip(programs(runtime, num_workers), programs(torch, num_workers), strict=True)):
        assert str(ours).replace("runtime.", "torch.") == str(theirs), i


@pytest.mark.oracle
def test_numpys_seed_in_workers_is_pytorchs():
    pytest.importorskip("torch")
    from torch.utils.data._utils.worker import _generate_state as theirs

    for base_seed in (0, 1, 2**32, 2**63 - 1, 123456789012345):
        for worker in range(3):
            assert _generate_state(base_seed, worker) == theirs(base_seed, worker)


@pytest.mark.oracle
def test_the_public_names_are_pytorchs():
    torch = pytest.importorskip("torch")
    datapipes = {"DFIterDataPipe", "DataChunk", "IterDataPipe", "MapDataPipe", "argument_validation", "functional_datapipe",
                 "guaranteed_datapipes_determinism", "non_deterministic", "runtime_validation", "runtime_validation_disabled"}  # fmt: skip
    assert set(torch.utils.data.__all__) - datapipes - {"_DatasetKind"} == set(data.__all__)
    import inspect

    for name in data.__all__:
        ours, theirs = (inspect.signature(getattr(m, name)) for m in (data, torch.utils.data))
        assert list(ours.parameters) == list(theirs.parameters), name


def test_iterators_with_workers_tell_about_them_and_stop_them():
    iterator = iter(DataLoader(runtime.arange(8), num_workers=2))
    assert iterator._rcvd_idx == 0 and iterator._send_idx == 4 and 0 <= iterator._tasks_outstanding <= 4 and not iterator._pin_memory
    next(iterator)
    assert iterator._rcvd_idx == 1 and iterator._send_idx == 5 and iterator._workers_status == [True, True]
    assert {place: info[0] for place, info in iterator._task_info.items()} == {1: 1, 2: 0, 3: 1, 4: 0}
    assert all(worker.is_alive() and worker.pid for worker in iterator._workers)
    iterator._shutdown_workers()
    assert not any(worker.is_alive() for worker in iterator._workers)
    with pytest.raises(StopIteration):
        next(iterator)


def test_pinning_walks_through_batches_and_needs_an_accelerator_for_tensors():
    from runtime.utils.data.pin_memory import pin_memory

    class Pinned:
        def pin_memory(self):
            return "pinned"

    assert pin_memory({"a": [Pinned(), 1], "b": (Pinned(), "text")}) == {"a": ["pinned", 1], "b": ("pinned", "text")}
    with pytest.raises(RuntimeError, match="accelerator"):
        pin_memory([runtime.ones(1)])


def test_an_interrupted_program_does_not_wait_for_its_workers():
    code = """
import signal
import time
import runtime
from runtime.utils.data import DataLoader, Dataset
class Slow(Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, index):
        print("working", flush=True)
        time.sleep(60)
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background of a shell ignores it
for _ in DataLoader(Slow(), num_workers=1):
    pass
"""
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with program:
        program.stdout.readline()
        start = time.monotonic()
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == -signal.SIGINT
        assert time.monotonic() - start < 4
