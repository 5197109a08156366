"""TorchDispatchModes: what they see, what stands on their stack, and that nothing a handler does breaks the thread."""

import gc
import sys
import threading
import weakref

import pytest

import runtime as rt
from runtime import _core
from runtime.modes import TorchDispatchMode, _disable_current_modes, _pop_mode_temporarily
from tests.conformance import compare

# Where PyTorch does something else, and why that stays so.
DIFFERENT = {
    "staticmethod": "a mode with a static handler works here",
    "no impl": "the error says what is missing",
    "max answered by 'nonsense'": "a str is no sequence of results",
    "max answered by [tensor([1., 1.])]": "the error says how many results there are",
    "threads": "whether code runs inside a mode is a matter of the thread here",
    "exit w/o enter": "another text",
    "instance attr": "a handler may be an attribute of the mode",
}


class Log(TorchDispatchMode):
    def __init__(self, answer=None):
        super().__init__()
        self.seen, self.answer = [], answer

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(str(func))
        return func(*args, **(kwargs or {})) if self.answer is None else self.answer()


@pytest.fixture(autouse=True)
def clean():
    yield
    assert _core._len_torch_dispatch_stack() == 0
    assert not _core.is_in_torch_dispatch_mode()


def trace(call):
    with Log() as mode:
        call()
    return [name.removeprefix("aten.") for name in mode.seen]


x = rt.ones(3, 4)
F = rt.nn.functional

TRACES = [
    (lambda: x.sum(), ["sum.default"]),
    (lambda: x[0, 1:], ["select.int", "slice.Tensor"]),
    (lambda: x[None, ..., 0], ["unsqueeze.default", "select.int"]),
    (lambda: x.clone().__setitem__(0, 5.0), ["clone.default", "lift_fresh.default", "select.int", "fill_.Tensor"]),
    (lambda: rt.tensor([1.0]), ["lift_fresh.default"]),
    (lambda: x[[0, 2]], ["lift_fresh.default", "index.Tensor"]),
    (lambda: x.to(rt.float64), ["_to_copy.default"]),
    (lambda: F.linear(x, x), ["t.default", "mm.default"]),
    (lambda: F.linear(x, x, x[:, 0]), ["slice.Tensor", "select.int", "t.default", "addmm.default"][1:]),
    (lambda: rt.matmul(x.view(1, 3, 4), x.t()), ["view.default", "t.default", "view.default", "mm.default", "_unsafe_view.default"]),
    (lambda: x.t().reshape(12), ["t.default", "clone.default", "_unsafe_view.default"]),
    (lambda: x.detach(), ["detach.default"]),
    (lambda: F.dropout(x), ["empty_like.default", "bernoulli_.float", "div_.Scalar", "mul.Tensor"]),
    (lambda: x.sum().item(), ["sum.default", "_local_scalar_dense.default"]),
    (lambda: (x.size(), x.stride(), x.dim(), len(x), x.device), []),
    (lambda: x.softmax(0), ["_softmax.default"]),
    (lambda: x.flatten(), ["view.default"]),
    (lambda: x.chunk(3), ["split.Tensor"]),
    (lambda: x.std(), ["std.correction"]),
    (lambda: F.layer_norm(x, [4]), ["native_layer_norm.default"]),
    (lambda: F.max_pool2d(x[None], 2), ["unsqueeze.default", "max_pool2d_with_indices.default"]),
    (lambda: x > 0, ["gt.Scalar"]),
    (lambda: x.norm(), ["linalg_vector_norm.default"]),
    (lambda: 1 + x, ["add.Tensor"]),
    (lambda: repr(x), []),
]  # fmt: skip


@pytest.mark.parametrize("call, names", TRACES, ids=[" ".join(names) or f"none {i}" for i, (_, names) in enumerate(TRACES)])
def test_a_mode_sees_the_operators_that_pytorch_calls(call, names):
    assert trace(call) == names


@pytest.mark.oracle
@pytest.mark.slow
def test_four_hundred_expressions_show_a_mode_the_same_calls_as_pytorch():
    pytest.importorskip("torch")
    ours, theirs = (compare.printed("traces.py", library).split("\n## ") for library in ("runtime", "torch"))
    assert len(ours) > 350
    assert ours == theirs


@pytest.mark.oracle
def test_stacks_errors_and_answers_are_pytorchs():
    pytest.importorskip("torch")
    compare.check("modes.py", DIFFERENT)


def test_a_default_is_not_shown_and_another_type_of_it_is():
    seen = []

    class Args(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append((args[2:], kwargs))
            return func(*args, **kwargs)

    with Args():
        rt.add(x, x, alpha=1)
        rt.add(x, x, alpha=1.0)
        rt.softmax(x, 0)
    assert seen == [((), {}), ((), {"alpha": 1.0}), ((False,), {})]


def test_an_operator_that_writes_an_argument_returns_that_object():
    y, out = rt.ones(2), (rt.ones(()), rt.zeros((), dtype=rt.int64))
    with Log(lambda: rt.zeros(2)):
        assert y.add_(1) is y
        assert rt.add(y, y, out=y) is y
    with Log(lambda: (rt.zeros(()), rt.zeros(()))):
        assert rt.max(y, 0, out=out)[1] is out[1]


def test_threads_have_their_own_stacks():
    seen, ready, done = {}, threading.Barrier(3), threading.Barrier(3)

    def work(name):
        with Log() as mode:
            ready.wait(10)
            rt.add(x, 1) if name == "a" else rt.mul(x, 1)
            done.wait(10)
        seen[name] = mode.seen

    threads = [threading.Thread(target=work, args=(n,)) for n in "ab"]
    for t in threads:
        t.start()
    ready.wait(10)
    assert _core._len_torch_dispatch_stack() == 0
    done.wait(10)
    for t in threads:
        t.join()
    assert seen == {"a": ["aten.add.Tensor"], "b": ["aten.mul.Tensor"]}


def test_a_mode_that_raises_leaves_the_thread_as_it_was():
    before = _core._dispatch_tls_local_include_set().raw_repr(), _core._dispatch_tls_local_exclude_set().raw_repr()
    with pytest.raises(ZeroDivisionError), Log(), Log(lambda: 1 / 0):
        rt.add(x, 1)
    assert before == (_core._dispatch_tls_local_include_set().raw_repr(), _core._dispatch_tls_local_exclude_set().raw_repr())


def test_a_handler_that_calls_itself_for_ever_raises_recursionerror():
    class Forever(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            with self:
                return func(*args, **(kwargs or {}))

    with pytest.raises(RecursionError), Forever():
        rt.add(x, 1)


def test_a_handler_may_take_modes_off_the_stack_that_it_stands_on():
    class Thief(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            while _core._len_torch_dispatch_stack():
                _core._pop_torch_dispatch_stack()
            return func(*args, **(kwargs or {}))

    outer = Log()
    outer.__enter__()
    with Thief():
        assert rt.add(x, 1).sum().item() == 24
    with pytest.raises(RuntimeError, match="empty mode stack"):
        outer.__exit__(None, None, None)


def test_modes_are_put_back_after_blocks_without_them():
    with Log() as a, Log() as b:
        with _disable_current_modes() as modes:
            rt.add(x, 1)
        assert modes == [b, a] or modes == [a, b]
        with pytest.raises(KeyError), _pop_mode_temporarily() as popped:
            raise KeyError
        assert popped is b
        assert _core._get_current_dispatch_mode_stack() == [a, b]
    assert a.seen == b.seen == []


def test_a_mode_in_a_cycle_is_collected():
    mode = Log()
    mode.me = mode
    with mode:
        rt.add(x, 1)
    alive = weakref.ref(mode)
    del mode
    gc.collect()
    assert alive() is None


def test_calls_under_a_mode_keep_nothing():
    class Pass(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    def work(n):
        with Pass():
            for _ in range(n):
                rt.add(x, 1, alpha=2)
                x.add_(0)

    work(100)
    gc.collect()
    before = sys.getallocatedblocks(), sys.getrefcount(x), sys.getrefcount(rt.ops.aten.add.Tensor)
    work(5000)
    gc.collect()
    after = sys.getallocatedblocks(), sys.getrefcount(x), sys.getrefcount(rt.ops.aten.add.Tensor)
    assert after[1:] == before[1:]
    assert after[0] - before[0] < 100
