"""Libraries: what they register and take back, their errors, and the life of what was registered."""

import gc
import re
import sys
import threading

import pytest

import runtime
from runtime import Library, _core
from runtime import library as functions

_count = iter(range(10**6))


@pytest.fixture
def ns():
    return f"lib{next(_count)}"


def test_kinds_and_reserved_namespaces_are_checked(ns):
    with pytest.raises(ValueError, match="Unsupported kind: BLA"):
        Library(ns, "BLA")
    for kind in ("DEF", "FRAGMENT"):
        with pytest.raises(ValueError, match="prim is a reserved namespace"):
            Library("prim", kind)
    with pytest.raises(RuntimeError, match="wildcard namespace"):
        Library("_", "FRAGMENT")
    with pytest.raises(RuntimeError, match="could not parse dispatch key: cpu"):
        Library(ns, "IMPL", "cpu")


def test_a_second_owner_of_a_namespace_is_refused_with_both_places(ns):
    first = Library(ns, "DEF")
    line = sys._getframe().f_lineno - 1
    with pytest.raises(RuntimeError) as error:
        Library(ns, "DEF")
    places = re.findall(r"test_library\.py:(\d+)", str(error.value))
    assert places == [str(line), str(line + 3)]
    first._destroy()
    Library(ns, "DEF")._destroy()


ERRORS = [
    (lambda lib: lib.define("f(Tensor x) -> Tensor"), RuntimeError, "same name and overload name multiple times"),
    (lambda lib: lib.define("g"), RuntimeError, "only the operator name was given"),
    (lambda lib: lib.define("g(Tensor x"), RuntimeError, "expected"),
    (lambda lib: lib.define("other::g(Tensor x) -> Tensor"), RuntimeError, "does not match namespace of enclosing"),
    (lambda lib: lib.define("g.default(Tensor x) -> Tensor"), RuntimeError, "default is not a legal overload name"),
    (lambda lib: lib.define("g(Tensor x) -> Tensor", "PURE"), RuntimeError, "Invalid alias_analysis type PURE"),
    (lambda lib: lib.define(3), TypeError, "schema must be a str"),
    (lambda lib: lib.impl("f", 3, "CPU"), TypeError, "Input function is required to be a callable but found type <class 'int'>"),
    (lambda lib: lib.impl(3, print, "CPU"), RuntimeError, "either a name or an OpOverload object"),
    (lambda lib: lib.impl("other::f", print, "CPU"), RuntimeError, "operator name does not match namespace"),
    (lambda lib: lib.impl(runtime.ops.aten.neg.default, print, "CPU"), RuntimeError, "operator name does not match namespace"),
    (lambda lib: lib.impl("f", print, "NoKey"), RuntimeError, "could not parse dispatch key: NoKey"),
    (lambda lib: lib.impl("f(Tensor x) -> Tensor", print, "CPU"), RuntimeError, "function schema was given"),
    (lambda lib: (lib.impl("f", print, "CPU"), lib.impl("f", print, "CPU")), RuntimeError, "already a kernel registered from python"),
    (lambda lib: (lib.impl("f", print), lib.impl("f", print, "Meta")), RuntimeError, "should not register a meta kernel"),
    (lambda lib: lib.fallback(print, "CPU"), RuntimeError, "global namespace"),
    (lambda lib: Library(lib.ns, "IMPL").define("g(Tensor x) -> Tensor"), RuntimeError, "Cannot define an operator inside of a TORCH_LIBRARY_IMPL"),
    (lambda lib: Library(lib.ns, "IMPL", "CPU").impl("f", print, "Conjugate"), RuntimeError, "inconsistent with the dispatch key"),
    (lambda lib: Library("_", "IMPL").fallback(print), AssertionError, "must not be empty"),
]


@pytest.mark.parametrize("act, error, text", ERRORS, ids=range(len(ERRORS)))
def test_a_wrong_registration_raises_and_changes_nothing(ns, act, error, text):
    lib = Library(ns, "DEF")
    lib.define("f(Tensor x) -> Tensor")
    names = sorted(_core._dispatch_get_all_op_names())
    with pytest.raises(error, match=text):
        act(lib)
    gc.collect()
    assert sorted(_core._dispatch_get_all_op_names()) == names
    lib._destroy()
    assert not [n for n in _core._dispatch_get_all_op_names() if n.startswith(ns + "::")]


def test_bookkeeping_names_namespace_operator_and_key(ns):
    lib = Library(ns, "DEF")
    lib.define("f.b(Tensor x) -> Tensor")
    lib.impl("f.b", lambda x: x, "CPU")
    lib.impl(getattr(runtime.ops, ns).f.b, lambda x: x)
    assert lib._op_impls == {f"{ns}/f.b/CPU", f"{ns}/f.b/"} and lib._op_impls <= functions._impls
    assert lib._op_defs == {f"{ns}::f.b"} and lib._op_defs <= functions._defs
    assert repr(lib) == f"Library(kind=DEF, ns={ns}, dispatch_key=)>"
    lib._destroy()
    assert not [n for n in functions._impls | functions._defs if n.startswith(ns)]


def test_deleting_the_last_reference_takes_everything_back_at_once(ns):
    lib = Library(ns, "FRAGMENT")
    lib.define("f(Tensor x) -> Tensor")

    class Kernel:
        def __call__(self, x):
            return x

    kernel = Kernel()
    base = sys.getrefcount(kernel)
    lib.impl("f", kernel, "CPU")
    packet = getattr(runtime.ops, ns).f
    assert packet(runtime.ones(1)).tolist() == [1.0] and sys.getrefcount(lib) == 2
    gc.disable()
    try:
        del lib
        assert sys.getrefcount(kernel) == base
        assert not hasattr(getattr(runtime.ops, ns), "f")
    finally:
        gc.enable()
    with pytest.raises(RuntimeError, match="no definition"):
        packet(runtime.ones(1))


def test_a_destroyed_library_says_so(ns):
    lib = Library(ns, "DEF")
    lib._destroy()
    lib._destroy()
    for act in (lambda: lib.define("f(Tensor x) -> Tensor"), lambda: lib.impl("f", print, "CPU")):
        with pytest.raises(AssertionError, match="destroyed"):
            act()


def test_a_scoped_library_ends_with_its_block(ns):
    with functions._scoped_library(ns, "DEF") as lib:
        lib.define("f(Tensor x) -> Tensor")
        assert hasattr(getattr(runtime.ops, ns), "f")
    assert lib.m is None and not hasattr(getattr(runtime.ops, ns), "f")


def test_an_override_is_undone_when_its_library_ends():
    x = runtime.tensor([1, 2])
    with functions._scoped_library("aten", "IMPL") as lib:
        lib.impl("aten::sum", lambda *args, **kwargs: args[0].clone(), "CPU")
        assert runtime.sum(x).tolist() == [1, 2]
    assert runtime.sum(x).item() == 3


def test_define_and_impl_by_qualified_name(ns):
    functions.define(f"{ns}::f", "(Tensor x) -> Tensor")
    functions.impl(f"{ns}::f", "cpu", lambda x: x + 1)

    @functions.impl(f"{ns}::f", "meta")
    def meta(x):
        return runtime.empty_like(x)

    op = getattr(runtime.ops, ns).f
    assert op(runtime.ones(1)).tolist() == [2.0] and op(runtime.ones(1, device="meta")).is_meta
    for wrong in ("f", "a::b::c"):
        with pytest.raises(ValueError, match="of the form"):
            functions.define(wrong, "(Tensor x) -> Tensor")
    with pytest.raises(ValueError, match="expected schema to look like"):
        functions.define(f"{ns}::g", "Tensor x")


def test_define_and_impl_decorate_on_a_library(ns):
    lib = Library(ns, "DEF")

    @functions.define(lib, "f(Tensor x) -> Tensor")
    def composite(x):
        return x + 7

    @functions.impl(lib, "f", "CPU")
    def cpu(x):
        return x + 8

    assert getattr(runtime.ops, ns).f(runtime.zeros(1)).tolist() == [8.0] and composite(1) == 8
    lib._destroy()


@pytest.mark.parametrize("calls", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_calls_of_each_kind_leak_nothing(ns, calls):
    lib = Library(ns, "DEF")
    lib.define("f(Tensor x, int n=1, *, float a=1.0) -> Tensor")
    lib.impl("f", lambda x, n=1, *, a=1.0: x, "CPU")
    op, x = getattr(runtime.ops, ns).f, runtime.ones(4)
    add = runtime.ops.aten.add.Tensor

    def run(n):
        for _ in range(n):
            op(x, 3, a=2.5)
            add(x, 2.5, alpha=3)
            x.view(2, 2)[0].add_(1)
            runtime.add(x, x, out=x)
            with _core._IncludeDispatchKeyGuard("Tracer"):
                pass

    run(200)
    gc.collect()
    before = sys.getallocatedblocks()
    run(calls // 20)
    gc.collect()
    assert sys.getallocatedblocks() - before < 100
    lib._destroy()


def test_registrations_that_moved_to_a_new_definition_still_go_with_their_library():
    first = runtime.Library("moved", "FRAGMENT")
    first.define("f(Tensor x) -> Tensor")
    implementer = runtime.Library("moved", "IMPL")
    implementer.impl("f", lambda x: x, "CPU")
    first._destroy()
    second = runtime.Library("moved", "FRAGMENT")
    second.define("f(Tensor x) -> Tensor")
    assert runtime.ops.moved.f(runtime.ones(1)).item() == 1
    implementer._destroy()
    assert not runtime._core._dispatch_has_kernel_for_dispatch_key("moved::f", "CPU")
    with pytest.raises(NotImplementedError):
        runtime.ops.moved.f(runtime.ones(1))
    runtime._core._dispatch_check_all_invariants()
    second._destroy()
    assert not runtime._core._dispatch_has_kernel("moved::f")


def test_threads_that_define_and_call_one_operator_see_it_whole_or_not_at_all():
    stop, wrong = threading.Event(), []
    x = runtime.ones(1)

    def define():
        for _ in range(60):
            library = runtime.Library("whole", "FRAGMENT")
            try:
                library.define("f(Tensor x) -> Tensor")
                library.impl("f", lambda t: t, "CPU")
            except RuntimeError as error:
                if "same name and overload name" not in str(error) and "already a kernel" not in str(error):
                    wrong.append(str(error))
            library._destroy()

    def call():
        while not stop.is_set():
            try:
                runtime.ops.whole.f(x)
            except (AttributeError, NotImplementedError):
                pass
            except RuntimeError as error:
                if "definition" not in str(error):
                    wrong.append(str(error))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        definers, callers = [threading.Thread(target=define) for _ in range(4)], [threading.Thread(target=call) for _ in range(2)]
        for thread in definers + callers:
            thread.start()
        for thread in definers:
            thread.join()
        stop.set()
        for thread in callers:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert not runtime._core._dispatch_has_kernel("whole::f")
