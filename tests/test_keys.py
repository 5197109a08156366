"""Dispatch keys, key sets, thread-local sets and guards, with PyTorch as the oracle."""

import copy
import itertools
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime import DispatchKey, DispatchKeySet
from runtime import _core as ours

KEYS = sorted(DispatchKey.__members__)
#: Keys that tensors can have; not the building blocks (functionalities without a backend, ends of blocks).
RUNTIME_KEYS = [k for k in KEYS if len(list(DispatchKeySet(getattr(DispatchKey, k)))) == 1 and "Of" not in k[:7]]


@pytest.fixture(scope="module")
def theirs():
    return pytest.importorskip("torch")._C


def both(theirs, names):
    """A key set of these keys, ours and PyTorch's."""
    a, b = DispatchKeySet(DispatchKey.Undefined), theirs.DispatchKeySet(theirs.DispatchKey.Undefined)
    for name in names:
        a, b = a | DispatchKeySet(name), b | theirs.DispatchKeySet(getattr(theirs.DispatchKey, name))
    return a, b


def outcome(f, *args):
    try:
        result = f(*args)
    except Exception as error:
        return type(error).__name__
    return result if isinstance(result, (int, str, bool, type(None))) else repr(result).replace("torch._C.", "")


# ---- keys


@pytest.mark.oracle
def test_keys_have_pytorchs_names_numbers_and_kinds(theirs):
    # PyTorch has no name of its own for the marks of blocks.
    shared = [k for k in KEYS if hasattr(theirs.DispatchKey, k) and not k.startswith(("StartOf", "EndOf"))]
    assert len(shared) > 130
    for name in shared:
        mine, other = getattr(DispatchKey, name), getattr(theirs.DispatchKey, name)
        assert (int(mine), mine.name, ours._dispatch_key_name(mine), str(mine)) == (
            int(other), other.name, theirs._dispatch_key_name(other), str(other),
        ), name  # fmt: skip
        assert ours._dispatch_is_alias_key(mine) == theirs._dispatch_is_alias_key(other)
        assert outcome(ours._dispatch_key_set, mine) == outcome(theirs._dispatch_key_set, other) or ours._dispatch_is_alias_key(mine)
    assert set(theirs.DispatchKey.__members__) <= set(KEYS)


def test_keys_are_ordered_hashed_pickled_and_copied_as_enum_members():
    assert DispatchKey.CPU is DispatchKey.CPU is pickle.loads(pickle.dumps(DispatchKey.CPU)) is copy.deepcopy(DispatchKey.CPU)
    assert DispatchKey.CPU < DispatchKey.AutogradCPU and not DispatchKey.CPU > DispatchKey.AutogradCPU
    assert len({*DispatchKey.__members__.values()}) == len({int(k) for k in DispatchKey.__members__.values()})
    assert sorted([DispatchKey.AutogradCPU, DispatchKey.CPU]) == [DispatchKey.CPU, DispatchKey.AutogradCPU]


def test_an_unknown_key_is_refused_with_what_was_meant():
    with pytest.raises(RuntimeError, match="could not parse dispatch key: CPPU") as error:
        ours._dispatch_key_parse("CPPU")
    assert "CPU" in str(error.value).splitlines()[-1]
    with pytest.raises(AttributeError):
        DispatchKey.CPPU  # noqa: B018
    for bad in (3.5, None, object(), b"CPU"):
        with pytest.raises((TypeError, RuntimeError)):
            DispatchKeySet(bad)


# ---- key sets


@pytest.mark.oracle
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(RUNTIME_KEYS), max_size=6), st.lists(st.sampled_from(RUNTIME_KEYS), max_size=6), st.sampled_from(RUNTIME_KEYS))
def test_key_sets_calculate_as_pytorchs(first, second, key):
    theirs = pytest.importorskip("torch")._C
    known = {k for k in RUNTIME_KEYS if hasattr(theirs.DispatchKey, k)}
    first, second = [k for k in first if k in known], [k for k in second if k in known]
    if key not in known:
        return
    (a, x), (b, y) = both(theirs, first), both(theirs, second)
    k, j = getattr(DispatchKey, key), getattr(theirs.DispatchKey, key)
    for mine, other in ((a | b, x | y), (a & b, x & y), (a - b, x - y), (a.add(k), x.add(j)), (a.remove(k), x.remove(j))):
        assert mine.raw_repr() == other.raw_repr()
        assert repr(mine) == repr(other)
        assert mine.highestPriorityTypeId().name == other.highestPriorityTypeId().name
    assert outcome(a.has, k) == outcome(x.has, j)
    assert (a == b) == (x == y) and (a != b) == (x != y)
    assert ours._dispatch_keyset_to_string(a) == theirs._dispatch_keyset_to_string(x)
    assert DispatchKeySet.from_raw_repr(a.raw_repr()) == a


@given(st.lists(st.sampled_from(RUNTIME_KEYS), max_size=8))
def test_a_key_set_is_what_its_iteration_gives(names):
    s = DispatchKeySet([getattr(DispatchKey, n) for n in names])
    assert DispatchKeySet(list(s)) == s and hash(DispatchKeySet(list(s))) == hash(s)
    assert pickle.loads(pickle.dumps(s)) == s == copy.deepcopy(s)
    assert all(s.has(k) for k in s)
    if len(list(s)):
        assert s.highestPriorityTypeId() in list(s)


@pytest.mark.oracle
def test_derived_key_sets_are_pytorchs(theirs):
    for name in (k for k in KEYS if hasattr(theirs.DispatchKey, k)):
        mine, other = getattr(DispatchKey, name), getattr(theirs.DispatchKey, name)
        assert ours._dispatch_keyset_full_after(mine).raw_repr() == theirs._dispatch_keyset_full_after(other).raw_repr(), name
        if name.startswith("Autograd") and name not in ("AutogradHIP", "AutogradVE", "AutogradMTIA"):  # which PyTorch forgot
            a, b = (m._dispatch_get_backend_keyset_from_autograd(k) for m, k in ((ours, mine), (theirs, other)))
            assert a.raw_repr() == b.raw_repr(), name
    assert ours._dispatch_keyset_full().raw_repr() == theirs._dispatch_keyset_full().raw_repr()
    assert ours._dispatch_autogradother_backends.raw_repr() == theirs._dispatch_autogradother_backends.raw_repr()


# ---- thread-local sets and guards


def state():
    return ours._dispatch_tls_local_include_set().raw_repr(), ours._dispatch_tls_local_exclude_set().raw_repr()


GUARDS = {
    "include": lambda k: ours._IncludeDispatchKeyGuard(k),
    "exclude": lambda k: ours._ExcludeDispatchKeyGuard(k),
    "force": lambda k: ours._ForceDispatchKeyGuard(DispatchKeySet(k), DispatchKeySet("Negative")),
}


@pytest.mark.parametrize("kinds", list(itertools.product(GUARDS, repeat=3)), ids="-".join)
def test_nested_guards_restore_the_sets_on_every_exit(kinds):
    before = state()
    keys = ["TESTING_ONLY_GenericMode", "Conjugate", "TESTING_ONLY_GenericMode"]
    with pytest.raises(ZeroDivisionError), GUARDS[kinds[0]](keys[0]):
        outer = state()
        with GUARDS[kinds[1]](keys[1]):
            inner = state()
            try:
                with GUARDS[kinds[2]](keys[2]):
                    raise KeyError
            except KeyError:
                pass
            assert state() == inner
        assert state() == outer
        raise ZeroDivisionError
    assert state() == before


def test_threads_have_sets_of_their_own():
    seen = []
    with ours._IncludeDispatchKeyGuard("Conjugate"):
        thread = threading.Thread(target=lambda: seen.append(ours._dispatch_tls_local_include_set().has(DispatchKey.Conjugate)))
        thread.start()
        thread.join()
    assert seen == [False]


def test_a_guard_in_a_suspended_generator_stays_active_until_it_is_closed():
    def suspended():
        with ours._IncludeDispatchKeyGuard("Conjugate"):
            yield

    before = state()
    g = suspended()
    next(g)
    assert ours._dispatch_tls_is_dispatch_key_included("Conjugate")
    g.close()
    assert state() == before


@pytest.mark.oracle
def test_setting_keys_in_the_thread_local_sets_is_pytorchs(theirs):
    def in_a_new_thread():  # where no earlier test has left anything
        before = state()
        default = theirs._dispatch_tls_local_include_set().raw_repr(), theirs._dispatch_tls_local_exclude_set().raw_repr()
        assert before == default
        for name in ("Conjugate", "AutocastCPU", "Python"):
            for m in (ours, theirs):
                key = getattr(m.DispatchKey, name)
                was = m._dispatch_tls_is_dispatch_key_excluded(key)
                m._dispatch_tls_set_dispatch_key_excluded(key, not was)
                assert m._dispatch_tls_is_dispatch_key_excluded(key) is not was
                m._dispatch_tls_set_dispatch_key_excluded(key, was)
        assert state() == before

    with ThreadPoolExecutor(1) as pool:
        pool.submit(in_a_new_thread).result()


@pytest.mark.parametrize("kind", GUARDS)
def test_a_guard_that_is_forgotten_while_active_is_undone(kind):
    before = state()
    guard = GUARDS[kind]("Conjugate")
    guard.__enter__()
    guard.__enter__()
    assert state() != before
    del guard
    assert state() == before


@pytest.mark.parametrize("kind", GUARDS)
def test_a_guard_that_dies_in_another_thread_leaves_that_thread_alone(kind):
    guards = [GUARDS[kind]("Conjugate")]
    seen = []

    def enter():
        guards[0].__enter__()

    def forget():
        before = state()
        guards.clear()
        seen.append(state() == before)

    for target in (enter, forget):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert seen == [True]


@pytest.mark.parametrize("bits", [2**64 - 1, 2**63, -1, 2**64, "1", 1.5])
def test_bits_that_are_no_keys_make_no_set(bits):
    with pytest.raises((ValueError, TypeError)):
        DispatchKeySet.from_raw_repr(bits)


def test_every_set_selects_a_slot():
    everything = ours._dispatch_keyset_full()
    assert DispatchKeySet.from_raw_repr(everything.raw_repr()) == everything
    x = runtime.ones(1)
    with pytest.raises(NotImplementedError):
        runtime.ops.aten.add.out.redispatch(DispatchKeySet("FPGA"), x, x, out=x)
