"""The call: what Python kernels get and return, key sets and guards in effect, redispatch, recursion, threads, deregistration in flight."""

import functools
import threading

import pytest

import runtime
from runtime import DispatchKey, DispatchKeySet, _core
from runtime.library import _scoped_library
from tests.libraries import new_library, op_of

X = runtime.tensor([1.0, 2.0])


class Spy:
    def __init__(self, result=X):
        self.result, self.calls = result, []

    def __call__(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        return self.result


ELISION = [
    ((X,), {}, (X,), {}),
    ((X, 1), {}, (X,), {}),
    ((X, 1, 2), {}, (X,), {}),
    ((X, 3), {}, (X, 3), {}),
    ((X, 1, 3), {}, (X, 1, 3), {}),
    ((X,), {"b": 3}, (X, 1, 3), {}),
    ((X,), {"c": 1.0, "d": False, "e": 1, "s": None}, (X,), {}),
    ((X,), {"c": 2.0}, (X,), {"c": 2.0}),
    ((X,), {"e": 1.0}, (X,), {"e": 1.0}),
    ((X,), {"e": True}, (X,), {"e": True}),
    ((X, True), {}, (X,), {}),
    ((X,), {"c": 1}, (X,), {}),
    ((X,), {"s": ""}, (X,), {"s": ""}),
    ((X,), {"n": [1, 2]}, (X,), {}),
    ((X,), {"n": (2,)}, (X,), {"n": [2]}),
]


@pytest.mark.parametrize("args, kwargs, got_args, got_kwargs", ELISION, ids=range(len(ELISION)))
def test_trailing_and_keyword_only_defaults_are_elided_by_typed_equality(lib, args, kwargs, got_args, got_kwargs):
    spy = Spy()
    schema = "f(Tensor x, int a=1, int b=2, *, float c=1.0, bool d=False, Scalar e=1, str? s=None, int[] n=[1,2]) -> Tensor"
    op_of(lib, schema, spy)(*args, **kwargs)
    (seen_args, seen_kwargs) = spy.calls[0]
    assert seen_args[0] is X and seen_args[1:] == got_args[1:]
    assert seen_kwargs == got_kwargs and [type(v) for v in seen_kwargs.values()] == [type(v) for v in got_kwargs.values()]


def test_lists_come_as_lists_and_wrapped_numbers_as_numbers(lib):
    spy = Spy()
    op_of(lib, "f(Tensor[] x, Tensor?[] y, int[2] n, float[] q) -> Tensor", spy)((X, X), [X, None], 3, (1, 2.5))
    ((x, y, n, q), _) = spy.calls[0]
    assert type(x) is list and x[0] is X and y[1] is None and n == [3, 3] and q == [1.0, 2.5]
    spy.calls.clear()
    aten = runtime.Library("aten", "IMPL")
    aten.impl("add.Tensor", spy, "TESTING_ONLY_GenericMode")
    with _core._IncludeDispatchKeyGuard("TESTING_ONLY_GenericMode"):
        _ = X + 1
        runtime.add(X, 2.5)
    aten._destroy()
    assert [args[1] for args, _ in spy.calls] == [1, 2.5]


RETURNS = [
    ("()", None, None),
    ("Tensor", X, X),
    ("int", runtime.tensor(3), 3),
    ("float", 2, 2.0),
    ("bool", None, False),
    ("Scalar", 1.5, 1.5),
    ("str", "s", "s"),
    ("Tensor[]", (X, X), [X, X]),
    ("int[]", range(2), [0, 1]),
    ("(Tensor, int)", [X, 3], (X, 3)),
]


@pytest.mark.parametrize("kind, returned, expected", RETURNS, ids=[r[0] for r in RETURNS])
def test_returns_are_converted_to_the_declared_type(lib, kind, returned, expected):
    got = op_of(lib, f"f(Tensor x) -> {kind}", Spy(returned))(X)
    assert type(got) is type(expected)
    if isinstance(expected, (list, tuple)):
        assert all(a is b or a == b for a, b in zip(got, expected, strict=True))
    else:
        assert got is expected or got == expected


WRONG = [("()", 3), ("Tensor", 3), ("Tensor", "s"), ("int", "s"), ("int", 2.5), ("float", "s"), ("Scalar", None), ("Tensor[]", [3]),
         ("(Tensor, Tensor)", (X, 3)), ("(Tensor, Tensor)", (X,)), ("(Tensor, Tensor)", (X, X, X))]  # fmt: skip


@pytest.mark.parametrize("kind, returned", WRONG, ids=[f"{k} {i}" for i, (k, _) in enumerate(WRONG)])
def test_a_wrong_return_names_the_operator_and_what_was_returned(lib, kind, returned):
    with pytest.raises(RuntimeError, match=rf"(?s)(cast|return).*The kernel of {lib.ns}::f returned"):
        op_of(lib, f"f(Tensor x) -> {kind}", Spy(returned))(X)


def test_with_keyset_passes_the_key_set_first(lib):
    spy = Spy()
    op_of(lib, "f(Tensor x, int n=1) -> Tensor", spy, with_keyset=True)(X, n=2)
    assert spy.calls[0][0][0] == DispatchKeySet("CPU") and spy.calls[0][0][2] == 2


def test_a_fallback_gets_the_identical_operator_object():
    seen = []
    everything = runtime.Library("_", "IMPL")
    everything.fallback(lambda op, *args, **kwargs: (seen.append((op, args, kwargs)), X)[1], "TESTING_ONLY_GenericMode")
    with _core._IncludeDispatchKeyGuard("TESTING_ONLY_GenericMode"):
        _ = X + X
        runtime.empty((2, 2), dtype=runtime.float64)
    everything._destroy()
    assert seen[0][0] is runtime.ops.aten.add.Tensor and seen[0][2] == {}
    assert seen[1][0] is runtime.ops.aten.empty.memory_format
    assert seen[1][2] == {"dtype": runtime.float64, "device": runtime.device("cpu"), "pin_memory": False}


def test_redispatch_ignores_thread_local_state_and_masks(lib):
    seen = []
    op = op_of(lib, "f(Tensor x) -> Tensor", lambda x: (seen.append("cpu"), x)[1])
    lib.impl("f", lambda x: (seen.append("autograd"), x)[1], "AutogradCPU")
    with _core._ExcludeDispatchKeyGuard(DispatchKeySet("AutogradCPU")):
        op(X)
        op.default.redispatch(DispatchKeySet([DispatchKey.CPU, DispatchKey.AutogradCPU]), X)
    assert seen == ["cpu", "autograd"]
    with pytest.raises(TypeError, match="DispatchKeySet"):
        op.default.redispatch("CPU", X)


def test_op_dk_runs_the_kernel_of_one_key(lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", Spy(X), "CUDA")
    assert op.default._op_dk(DispatchKey.CUDA, X) is X
    with pytest.raises(NotImplementedError):
        op.default._op_dk("XLA", X)


def test_exceptions_pass_through_kernels_and_leave_thread_local_state(lib):
    class Own(Exception):
        pass

    def fail(x):
        raise Own("boom")

    op = op_of(lib, "f(Tensor(a!) x) -> Tensor(a!)", fail)
    before = _core._dispatch_tls_local_include_set(), _core._dispatch_tls_local_exclude_set()
    with pytest.raises(Own, match="boom"):
        op(X)
    assert before == (_core._dispatch_tls_local_include_set(), _core._dispatch_tls_local_exclude_set())


def test_infinite_redispatch_is_a_recursion_error(lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", lambda x: getattr(runtime.ops, lib.ns).f(x))
    with pytest.raises(RecursionError):
        op(X)


def test_a_kernel_may_deregister_itself_while_it_runs():
    library = new_library()

    def kernel(x):
        library._destroy()
        return x

    op = op_of(library, "f(Tensor x) -> Tensor", kernel)
    overload = op.default
    assert op(X) is X
    with pytest.raises(RuntimeError, match="no schema|no definition"):
        op(X)
    with pytest.raises(RuntimeError, match="no schema"):
        overload(X)


def test_more_arguments_than_the_stack_buffer_holds(lib):
    n = 100
    op = op_of(lib, "f(" + ", ".join(f"Tensor x{i}" for i in range(n)) + ", int k=3, *, float y=1.0) -> Tensor", lambda *args, **kw: args[-1])
    assert op(*[X] * n) is X
    with pytest.raises(RuntimeError, match="takes 101 positional"):
        op(*[X] * n, 3, 1.0)
    with pytest.raises(RuntimeError, match="Expected a value of type 'Tensor' for argument 'x99'"):
        op(*[X] * (n - 1), "wrong")


def test_packets_pick_the_first_overload_that_fits(lib):
    picked = []
    for name, rest in (("a", "int n"), ("b", "str s"), ("c", "*, float y")):
        lib.define(f"f.{name}(Tensor x, {rest}) -> Tensor")
        lib.impl(f"f.{name}", lambda *args, _n=name, **kwargs: (picked.append(_n), X)[1], "CPU")
    op = getattr(runtime.ops, lib.ns).f
    op(X, 1), op(X, "s"), op(X, y=1)
    assert picked == ["a", "b", "c"]
    with pytest.raises(RuntimeError, match=r"(?s)failed to match any schema.*f\.a.*f\.b.*f\.c"):
        op(X, 1.5)


def test_registration_and_calls_from_many_threads():
    errors = []

    def work(i):
        try:
            for k in range(40):
                library = runtime.Library(f"thread{i}_{k}", "DEF")
                library.define("f(Tensor x) -> Tensor")
                library.impl("f", lambda x: x + 1, "CPU")
                assert getattr(runtime.ops, library.ns).f(X).tolist() == [2.0, 3.0]
                library._destroy()
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    _core._dispatch_check_all_invariants()


def test_thread_local_sets_belong_to_their_thread():
    seen = []
    with _core._IncludeDispatchKeyGuard("Tracer"):
        thread = threading.Thread(target=lambda: seen.append(_core._dispatch_tls_is_dispatch_key_included("Tracer")))
        thread.start()
        thread.join()
        assert _core._dispatch_tls_is_dispatch_key_included("Tracer")
    assert seen == [False] and not _core._dispatch_tls_is_dispatch_key_included("Tracer")


def test_guards_undo_only_their_own_bits_in_any_order():
    first, second = _core._IncludeDispatchKeyGuard("Tracer"), _core._IncludeDispatchKeyGuard("Tracer")
    other = _core._IncludeDispatchKeyGuard("Batched")
    before = _core._dispatch_tls_local_include_set()
    first.__enter__(), second.__enter__(), other.__enter__()
    second.__exit__(None, None, None)
    assert _core._dispatch_tls_is_dispatch_key_included("Tracer")
    first.__exit__(None, None, None)
    assert not _core._dispatch_tls_is_dispatch_key_included("Tracer") and _core._dispatch_tls_is_dispatch_key_included("Batched")
    other.__exit__(None, None, None)
    other.__exit__(None, None, None)
    assert _core._dispatch_tls_local_include_set() == before


def test_a_guard_in_a_suspended_generator_stays_active():
    def generate():
        with _core._IncludeDispatchKeyGuard("Tracer"):
            yield

    running = generate()
    next(running)
    assert _core._dispatch_tls_is_dispatch_key_included("Tracer")
    running.close()
    assert not _core._dispatch_tls_is_dispatch_key_included("Tracer")


@pytest.mark.parametrize("how", ["overload", "packet", "another", "partial"])
def test_operators_that_are_their_own_kernels_recurse_until_python_says_stop(how):
    with _scoped_library("own_kernel", "DEF") as lib:
        lib.define("f(Tensor x) -> Tensor")
        lib.define("g(Tensor x) -> Tensor")
        f, g = runtime.ops.own_kernel.f, runtime.ops.own_kernel.g
        lib.impl("f", {"overload": f.default, "packet": f, "another": g.default, "partial": functools.partial(f)}[how], "CPU")
        lib.impl("g", f.default, "CPU")
        with pytest.raises(RecursionError):
            f(runtime.ones(1))


@pytest.mark.parametrize("value", [lambda: runtime.ones(2), lambda: (t for t in [runtime.ones(1)]), lambda: {}])
def test_a_kernel_that_returns_no_list_for_one_is_refused(value):
    with _scoped_library("no_list", "DEF") as lib:
        lib.define("f(Tensor x) -> Tensor[]")
        lib.impl("f", lambda x: value(), "CPU")
        with pytest.raises(RuntimeError, match="Unable to cast"):
            runtime.ops.no_list.f(runtime.ones(1))


def test_a_fallback_that_returns_a_tensor_for_a_list_is_refused():
    x = runtime.ones(2)
    with _scoped_library("_", "IMPL") as lib:
        lib.fallback(lambda op, *args, **kwargs: x, "TESTING_ONLY_GenericMode")
        with runtime._core._IncludeDispatchKeyGuard("TESTING_ONLY_GenericMode"), pytest.raises(RuntimeError, match="Unable to cast"):
            runtime.ops.aten.split.Tensor(x, 1)
