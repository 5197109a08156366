"""Tensors in memory that processes share: what one side writes the other sees, with every start method and sharing strategy."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.reduction import ForkingPickler

import pytest

import runtime
import runtime.multiprocessing as mp
from runtime import nn
from runtime.multiprocessing.channel import Channel
from runtime.multiprocessing.reductions import StorageWeakRef
from runtime.testing.two_tensor import TwoTensor

STRATEGIES = sorted(mp.get_all_sharing_strategies())
TIMEOUT = 60


@pytest.fixture(params=STRATEGIES)
def strategy(request):
    before = mp.get_sharing_strategy()
    mp.set_sharing_strategy(request.param)
    yield request.param
    mp.set_sharing_strategy(before)


def sent(value):
    """A value through the pickler of processes."""
    return pickle.loads(ForkingPickler.dumps(value))


def in_child(function, *args, method="fork"):
    process = mp.get_context(method).Process(target=function, args=args)
    process.start()
    process.join(TIMEOUT)
    assert process.exitcode == 0


def fill(tensor, value):
    tensor.detach().fill_(value)


def add_to_what_comes(inbox, outbox):
    for tensor in iter(inbox.get, None):
        tensor.detach().add_(1)
        outbox.put(tensor)


def test_share_memory_moves_the_storage_of_all_its_views(strategy):
    x = runtime.arange(6.0)
    view = x[2:]
    assert not x.is_shared() and x.share_memory_() is x
    assert view.is_shared() and x.untyped_storage().is_shared() and x.tolist() == [0, 1, 2, 3, 4, 5]
    assert (x.untyped_storage().filename is not None) == (strategy == "file_system")
    address = x.data_ptr()
    assert view.share_memory_().data_ptr() == address + 8
    with pytest.raises(RuntimeError, match="not resizable"):
        x.resize_(1000)


def test_empty_and_meta_tensors_can_be_shared(strategy):
    assert runtime.empty(0).share_memory_().is_shared()
    assert sent(runtime.empty(0, 3)).shape == (0, 3)
    assert not runtime.empty(3, device="meta").share_memory_().is_shared()
    assert sent(runtime.empty(3, device="meta")).is_meta


def test_an_array_over_memory_that_moved_stays_valid():
    x = runtime.ones(3)
    small, large = x.numpy(), runtime.ones(10**5)
    array = large.numpy()
    x.share_memory_()
    large.share_memory_().zero_()
    x.zero_()
    del large
    gc.collect()
    assert small.tolist() == [1, 1, 1] and array.sum() == 10**5


def test_a_modules_parameters_are_shared_with_forked_processes():
    net = nn.Linear(2, 1)
    assert net.share_memory() is net and net.weight.is_shared()

    def child():
        with runtime.no_grad():
            net.weight.fill_(7)

    in_child(child)
    assert net.weight.tolist() == [[7, 7]]


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow), pytest.param("forkserver", marks=pytest.mark.slow)])
def test_arguments_of_a_process_are_shared(strategy, method):
    x, p = runtime.zeros(3), nn.Parameter(runtime.zeros(2))
    x.share_memory_(), p.share_memory_()
    in_child(fill, x, 5.0, method=method)
    in_child(fill, p, 6.0, method=method)
    assert x.tolist() == [5, 5, 5] and p.tolist() == [6, 6]


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow), pytest.param("forkserver", marks=pytest.mark.slow)])
def test_a_queue_hands_over_memory_and_not_copies(strategy, method):
    context = mp.get_context(method)
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=add_to_what_comes, args=(inbox, outbox))
    process.start()
    x = runtime.arange(4.0)
    w = TwoTensor(runtime.zeros(2), runtime.ones(2))
    for value in (x, x[1:3], runtime.ones(2, requires_grad=True), nn.Parameter(runtime.ones(2)), w):
        inbox.put(value)
        back = outbox.get(timeout=TIMEOUT)
        assert type(back) is type(value) and back.requires_grad == value.requires_grad
        assert back.tolist() == value.tolist() if value is not w else back.a.tolist() == w.a.tolist()
        if value is not w:
            assert back.data_ptr() == value.data_ptr()
    assert x.tolist() == [1, 3, 4, 4] and w.a.tolist() == [1, 1]
    inbox.put(None)
    process.join(TIMEOUT)
    assert process.exitcode == 0


def test_a_pipe_hands_over_memory(strategy):
    ours, theirs = mp.Pipe()
    x = runtime.zeros(3)
    ours.send({"x": x, "same": x})
    value = theirs.recv()
    value["x"].fill_(2)
    assert x.tolist() == value["same"].tolist() == [2, 2, 2]


def test_what_comes_back_is_the_storage_that_is_there(strategy):
    x = runtime.zeros(3)
    y = sent(x)
    assert y.untyped_storage() is x.untyped_storage()
    address = x.data_ptr()
    del x
    assert sent(y).data_ptr() == address


def test_typed_storages_are_shared_and_travel(strategy):
    storage = runtime.storage.TypedStorage([1.0, 2.0])
    again = sent(storage)
    assert storage.share_memory_() is storage and storage.is_shared() and again == storage and again.dtype is runtime.float32
    assert StorageWeakRef(storage) == StorageWeakRef(again.untyped())


def test_a_graph_does_not_leave_its_process():
    x = runtime.ones(2, requires_grad=True)
    assert sent(x).is_leaf
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        sent(x * 2)
    assert sent((x * 2).detach()).tolist() == [2, 2]


def test_lazy_bits_and_attributes_travel():
    x = runtime.tensor([1 + 2j]).conj()
    x.note = "a"
    y = sent(x)
    assert y.is_conj() and y.note == "a" and y.tolist() == [1 - 2j]


def test_files_go_with_the_last_storage_and_message():
    mp.set_sharing_strategy("file_system")
    try:
        x = runtime.ones(3).share_memory_()
        path = x.untyped_storage().filename
        message = ForkingPickler.dumps(x)
        assert os.path.exists(path)
        del x
        assert os.path.exists(path)  # for the message
        y = pickle.loads(message)
        assert y.tolist() == [1, 1, 1] and os.path.exists(path)
        del y
        assert not os.path.exists(path)
    finally:
        mp.set_sharing_strategy("file_descriptor")


def test_descriptors_go_with_the_storage():
    def count():
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("the system does not list descriptors")
    gc.collect()
    before = count()
    tensors = [runtime.ones(3).share_memory_() for _ in range(20)]
    assert count() == before + 20
    del tensors
    assert count() == before


KILLED = """
import os, sys
import runtime, runtime.multiprocessing as mp
mp.set_sharing_strategy("file_system")
x = [runtime.ones(3).share_memory_() for _ in range(3)]
if os.fork() == 0:
    sys.stdin.read()
    os.kill(os.getpid(), 9)
print(os.path.dirname(x[0].untyped_storage().filename), flush=True)
sys.stdin.read()
"""


def test_files_of_killed_processes_are_removed():
    process = subprocess.Popen([sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        folder = process.stdout.readline().decode().strip()
        assert len(os.listdir(folder)) == 3 + 1  # files, and the watcher's pipe
    finally:
        process.kill()
    process.wait(TIMEOUT)
    assert len(os.listdir(folder)) == 3 + 1  # the forked one is there
    _, errors = process.communicate(timeout=TIMEOUT)
    assert errors == b""
    until = time.monotonic() + 20
    while os.path.exists(folder):
        assert time.monotonic() < until, "the folder is left"
        time.sleep(0.05)


def share_one(connection):
    mp.set_sharing_strategy("file_system")
    connection.send(runtime.ones(3))
    connection.recv()


@pytest.mark.slow
def test_memory_of_a_process_that_is_gone_can_be_sent_on():
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=share_one, args=(theirs,))
    process.start()
    x = ours.recv()
    path = x.untyped_storage().filename
    ours.send("thanks")
    process.join(TIMEOUT)
    time.sleep(0.3)  # time for a watcher to remove what it must not
    y = sent(x)
    in_child(fill, y, 4.0)
    assert x.tolist() == [4, 4, 4]
    del x, y
    assert not os.path.exists(path)


def test_ends_of_programs_are_quiet():
    script = """
import runtime, runtime.multiprocessing as mp
for strategy in mp.get_all_sharing_strategies():
    mp.set_sharing_strategy(strategy)
    x = runtime.ones(3).share_memory_()
    q = mp.Queue()
    p = mp.Process(target=lambda: q.get().add_(1))
    p.start()
    q.put(x)
    p.join()
    print(x.tolist())
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=TIMEOUT)
    assert (run.stdout, run.stderr, run.returncode) == ("[2.0, 2.0, 2.0]\n" * len(STRATEGIES), "", 0)


def test_a_strategy_must_be_known():
    with pytest.raises(AssertionError, match="invalid sharing strategy 'paper'"):
        mp.set_sharing_strategy("paper")


def test_memory_that_is_not_there_is_an_error():
    storage = runtime.UntypedStorage(2**60, device="meta")
    assert storage.share_memory_() is storage
    x = runtime.ones(3).share_memory_()
    from runtime import _core

    fd, key, _ = _core._shared_memory(x.untyped_storage()) if mp.get_sharing_strategy() == "file_descriptor" else (0, 0, 0)
    for nbytes in (13, 2**40, -1):
        copy = os.dup(fd)
        with pytest.raises(RuntimeError, match="shared memory"):
            _core._map_shared_memory(copy, nbytes, "another key")
        os.close(copy)
    with pytest.raises(OSError):
        os.ftruncate(fd, 0)  # sealed: it would end processes that read the memory


TOO_MANY = """
import resource, runtime
from runtime.utils.data import DataLoader
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
for work in (lambda: [runtime.ones(1).share_memory_() for _ in range(40)], lambda: list(DataLoader(range(50), num_workers=1))):
    try:
        kept = work()
    except RuntimeError as error:
        print(error)
"""


def test_too_many_open_files_are_an_error():
    pytest.importorskip("resource")
    run = subprocess.run([sys.executable, "-W", "error", "-c", TOO_MANY], capture_output=True, text=True, timeout=TIMEOUT)
    first, second = run.stdout.splitlines()
    assert first == "unable to allocate 4 bytes of shared memory: Too many open files (24)"
    assert "set_sharing_strategy('file_system')" in second and run.stderr == ""


def test_pools_of_processes_share_tensors():
    x = runtime.zeros(4)
    with mp.get_context("fork").Pool(2) as pool:
        pool.starmap(fill, [(x[i : i + 1], i) for i in range(4)])
    assert x.tolist() == [0, 1, 2, 3]


def test_a_weak_reference_of_a_storage_tells_when_it_is_gone():
    x = runtime.ones(3)
    reference, again = StorageWeakRef(x.untyped_storage()), StorageWeakRef(x[1:].untyped_storage())
    assert reference == again and hash(reference) == hash(again) and not reference.expired()
    other = StorageWeakRef(runtime.ones(3).untyped_storage())
    assert other.expired() and other != reference
    x.resize_(1000)
    assert not reference.expired()
    del x
    assert reference.expired() and again.expired()
    assert StorageWeakRef(runtime.ones(3).untyped_storage()) != reference


def test_a_channel_sends_descriptors_along(strategy):
    ours, theirs = map(Channel, mp.Pipe(duplex=True))
    x = runtime.zeros(3)
    many = [runtime.full((1,), i) for i in range(450)]
    sender = threading.Thread(target=ours.send, args=({"x": x, "many": many, "other": 3},))
    sender.start()
    value = theirs.recv()
    sender.join()
    value["x"].fill_(1)
    assert x.tolist() == [1, 1, 1] and value["other"] == 3
    assert [t.item() for t in value["many"]] == list(range(450))
    with pytest.raises(Exception, match="pickle"):
        ours.send(lambda: 0)
    ours.send("still works")
    assert theirs.recv() == "still works"
    ours.close()
    with pytest.raises(EOFError):
        theirs.recv()


def test_a_channel_does_not_keep_what_it_sent():
    ours, theirs = map(Channel, mp.Pipe(duplex=True))
    gc.disable()
    try:
        x = runtime.ones(3)
        gone = StorageWeakRef(x.untyped_storage())
        ours.send(x)
        del x
        assert gone.expired()
    finally:
        gc.enable()
    assert theirs.recv().tolist() == [1, 1, 1]


# ---------------------------------------------------------------------------------------------------------------------------- forks


def test_a_forked_process_computes_after_its_parent_used_threads():
    before = runtime.get_num_threads()
    runtime.set_num_threads(4)
    try:
        x = runtime.ones(2**21)
        (x + x).sum()
        stop = threading.Event()
        worker = threading.Thread(target=lambda: [x * 2 for _ in iter(stop.is_set, True)])
        worker.start()
        ours, theirs = mp.Pipe()

        def child():
            y = runtime.ones(2**21).requires_grad_()
            (y * 2).sum().backward()
            z = runtime.ones(4).resize_(100)
            theirs.send((float((y + y).sum()), float(y.grad.sum()), z.numel(), float(runtime.ones(256, 256).mm(runtime.ones(256, 256)).sum())))

        process = mp.get_context("fork").Process(target=child)
        process.start()
        assert ours.poll(TIMEOUT) and ours.recv() == (2.0**22, 2.0**22, 100, 256.0**3)
        process.join(TIMEOUT)
        assert process.exitcode == 0
    finally:
        stop.set()
        worker.join()
        runtime.set_num_threads(before)


def test_a_forked_process_has_its_parents_generator_and_modes():
    runtime.manual_seed(5)
    ours, theirs = mp.Pipe()
    with runtime.no_grad():
        in_child(lambda: theirs.send((runtime.rand(3).tolist(), runtime.is_grad_enabled())))
    assert ours.recv() == (runtime.rand(3).tolist(), False)


# ------------------------------------------------------------------------------------------------------------------ groups of processes


def raise_in_second(index):
    if index == 1:
        raise ValueError(f"wrong in {index}")
    signal.pause()


def exit_with(index, code):
    os._exit(code)


def kill_itself(index):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_group_of_processes_runs_a_function():
    x = runtime.zeros(3).share_memory_()
    assert mp.start_processes(fill_own, (x,), nprocs=3, start_method="fork") is None
    assert x.tolist() == [1, 2, 3]


def fill_own(index, tensor):
    tensor[index] = index + 1


def test_an_exception_in_one_process_stops_the_others_and_is_raised():
    with pytest.raises(mp.ProcessRaisedException, match="(?s)Process 1 terminated with the following error:.*ValueError: wrong in 1") as caught:
        mp.start_processes(raise_in_second, nprocs=2, start_method="fork")
    assert caught.value.error_index == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_exit_codes_and_signals_of_processes_are_raised():
    with pytest.raises(mp.ProcessExitedException, match="process 0 terminated with exit code 3") as caught:
        mp.start_processes(exit_with, (3,), start_method="fork")
    assert caught.value.exit_code == 3
    with pytest.raises(mp.ProcessExitedException, match="process 0 terminated with signal SIGKILL") as caught:
        mp.start_processes(kill_itself, start_method="fork")
    assert caught.value.signal_name == "SIGKILL" and pickle.loads(pickle.dumps(caught.value)).signal_name == "SIGKILL"


@pytest.mark.slow
def test_spawn_starts_new_interpreters():
    x = runtime.zeros(2).share_memory_()
    mp.spawn(fill_own, (x,), nprocs=2)
    assert x.tolist() == [1, 2]
    with pytest.warns(FutureWarning, match="only supports start_method=spawn"):
        mp.spawn(fill_own, (x,), nprocs=1, start_method="fork")


def test_the_standard_names_are_here():
    import multiprocessing

    assert set(multiprocessing.__all__) <= set(mp.__all__) <= set(dir(mp))


@pytest.mark.oracle
def test_the_functions_are_pytorchs():
    torch = pytest.importorskip("torch")
    missing = set(torch.multiprocessing.__all__) - set(mp.__all__)
    assert missing == set()
    assert torch.multiprocessing.get_all_sharing_strategies() == mp.get_all_sharing_strategies()
