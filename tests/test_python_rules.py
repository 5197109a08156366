"""Rules in Python: `py_impl`, the Python dispatcher and its caches, operator objects, higher-order operators."""

import copy

import pytest

import runtime as rt
from runtime import DispatchKey, Library, Tensor, _core
from runtime.crossref import all_py_loaded_overloads, enable_python_dispatcher, no_python_dispatcher
from runtime.higher_order import HigherOrderOperator
from runtime.modes import TorchDispatchMode

aten = rt.ops.aten
x = rt.ones(2)


@pytest.fixture
def op():
    library = Library("python_rules", "FRAGMENT")
    library.define("twice(Tensor x, int n=1) -> Tensor")
    library.impl("twice", lambda x, n=1: x * 2 * n, "CPU")
    yield rt.ops.python_rules.twice.default
    library._destroy()


def test_a_rule_serves_its_key_while_the_python_dispatcher_is_on(op):
    op.py_impl(DispatchKey.CPU)(lambda x, n=1: x * 100)
    assert op(x).tolist() == [2, 2]
    with enable_python_dispatcher():
        assert op(x).tolist() == [100, 100]
        with no_python_dispatcher():
            assert op(x).tolist() == [2, 2]
        with pytest.raises(ZeroDivisionError), no_python_dispatcher():
            raise ZeroDivisionError
        assert op(x).tolist() == [100, 100]
    assert op(x).tolist() == [2, 2]


def test_registering_clears_the_cache(op):
    with enable_python_dispatcher():
        op(x)
        assert op._dispatch_cache[DispatchKey.CPU] is DispatchKey.CPU
        op.py_impl(DispatchKey.CPU)(lambda x, n=1: x)
        assert not op._dispatch_cache
        assert op(x) is x
    assert callable(op._dispatch_cache[DispatchKey.CPU])
    op._uncache_dispatch(DispatchKey.CPU)
    assert DispatchKey.CPU not in op._dispatch_cache


def test_every_level_of_a_call_is_cached():
    with enable_python_dispatcher():
        x + x
    assert aten.add.Tensor._dispatch_cache[DispatchKey.CPU] is DispatchKey.CPU
    assert DispatchKey.AutogradCPU in aten.add.Tensor._dispatch_cache
    assert aten.add.Tensor in _core.get_cached_ops()


@pytest.mark.parametrize(
    "key, error, text",
    [
        (DispatchKey.Python, AssertionError, "Please register a mode"),
        (3, AssertionError, "expected DispatchKey, got <class 'int'>"),
        (int, AssertionError, "expected DispatchKey"),
    ],
)
def test_rules_are_for_keys_modes_and_subclasses(op, key, error, text):
    with pytest.raises(error, match=text):
        op.py_impl(key)(len)


def test_a_key_has_one_rule(op):
    op.py_impl(DispatchKey.Meta)(len)
    with pytest.raises(RuntimeError, match="Trying to override a python impl for DispatchKey.Meta on operator python_rules::twice"):
        op.py_impl(DispatchKey.Meta)(len)


def test_a_composite_rule_serves_where_no_kernel_does(op):
    op.py_impl(DispatchKey.CompositeImplicitAutograd)(lambda x, n=1: "composite")
    assert op.decompose(x) == "composite"
    assert _core.resolve_key(op, DispatchKey.CPU) is DispatchKey.CPU
    assert _core.resolve_key(op, DispatchKey.Meta) is DispatchKey.CompositeImplicitAutograd


def test_a_rule_for_a_mode_runs_with_the_mode_off_the_stack(op):
    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    @op.py_impl(Mode)
    def rule(mode, x, n=1):
        assert _core._len_torch_dispatch_stack() == 0
        return mode.__class__.__name__ == "Mode" and x * 7

    with enable_python_dispatcher(), Mode():
        assert op(x).tolist() == [7, 7]
    with pytest.raises(AssertionError, match="already registered"):
        op.py_impl(Mode)(rule)


def test_a_functionalization_rule_waits_for_functionalization(op):
    @op.py_functionalize_impl
    def rule(context, x, n=1):
        return x

    assert rule(None, x) is x
    assert DispatchKey.Functionalize in op.py_kernels
    with pytest.raises(NotImplementedError, match="CppFunctionalizeAPI"):
        op.py_kernels[DispatchKey.Functionalize](x)


def test_loaded_overloads_are_those_that_somebody_touched():
    before = set(all_py_loaded_overloads())
    touched = aten.special_bessel_j1.default
    assert touched in set(all_py_loaded_overloads())
    assert before <= set(all_py_loaded_overloads())
    assert len(before) < 3000
    assert all(isinstance(o, _core.OpOverload) for o in before)


def test_what_an_operator_object_says_of_itself():
    add = aten.add.Tensor
    assert (add.__name__, str(add), add.name(), add.namespace) == ("add.Tensor", "aten.add.Tensor", "aten::add.Tensor", "aten")
    assert repr(add) == "<OpOverload(op='aten.add', overload='Tensor')>"
    assert copy.deepcopy(add) is add
    assert aten.view.default.is_view and not aten.add_.Tensor.is_view
    assert add.decompose(x, x) is NotImplemented
    assert aten.matmul.default.decompose(x, x).item() == 2
    assert add._op_dk(DispatchKey.CPU, x, x).tolist() == [2, 2]
    assert add(self=x, other=x).tolist() == [2, 2]
    with pytest.raises(AttributeError, match="The underlying op of 'aten.add' has no overload name 'nope'"):
        _ = aten.add.nope
    with pytest.raises(AttributeError, match="'_OpNamespace' 'aten' object has no attribute 'nope'"):
        _ = aten.nope
    with pytest.raises(RuntimeError, match="is missing value for argument 'other'"):
        add(x)
    with pytest.raises(RuntimeError, match="Unknown keyword argument 'foo' for operator 'aten::add'"):
        add(x, x, foo=1)


# -------------------------------------------------------------------------------------------------- higher-order operators


class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return f"dispatched {func}"


class All(Mode):
    supports_higher_order_operators = True


class Sub(Tensor):
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError("a higher-order operator has rules for subclasses")


@pytest.fixture
def hop():
    class Made(HigherOrderOperator):
        def __call__(self, *args, **kwargs):
            return super().__call__(*args, **kwargs)

    return Made("python_rules_hop")


def below_autograd(call):
    guard = _core._AutoDispatchBelowAutograd()
    try:
        return call()
    finally:
        del guard


def test_a_higher_order_operator_is_found_by_its_name(hop):
    assert rt.ops.higher_order.python_rules_hop is hop
    assert (str(hop), hop.name(), hop.namespace, copy.deepcopy(hop) is hop) == ("python_rules_hop", "python_rules_hop", "higher_order", True)
    with pytest.raises((TypeError, RuntimeError)):
        HigherOrderOperator("direct")


def test_the_highest_key_of_all_leaves_needs_a_rule(hop):
    with pytest.raises(NotImplementedError, match="could not find kernel for HigherOrderOperator python_rules_hop at dispatch key"):
        hop(x)
    hop.py_impl(DispatchKey.CPU)(lambda *a: "cpu")
    assert below_autograd(lambda: hop([{"deep": x}])) == "cpu"
    hop.py_impl(DispatchKey.AutogradCPU)(lambda *a: "autograd")
    assert hop(x) == "autograd"
    hop.fallthrough(DispatchKey.AutogradCPU)
    assert hop(x) == "cpu"
    with pytest.raises(RuntimeError, match="override"):
        hop.py_impl(DispatchKey.CPU)(len)


def test_modes_and_subclasses_have_rules_of_their_own(hop):
    sub = Tensor._make_subclass(Sub, x)

    def under(mode, arg):
        with mode:
            return below_autograd(lambda: hop(arg))

    hop.py_impl(DispatchKey.CPU)(lambda a: "cpu")
    with pytest.raises(NotImplementedError, match="There was no rule registered for HigherOrderOperator python_rules_hop and mode"):
        under(Mode(), x)
    assert under(All(), x) == "dispatched python_rules_hop"
    hop.py_impl(Mode)(lambda mode, a: NotImplemented if isinstance(a, Sub) else "mode")
    assert under(Mode(), x) == "mode"
    with pytest.raises(NotImplementedError, match="no rule registered for HOP python_rules_hop and subclass"):
        below_autograd(lambda: hop(sub))
    hop.py_impl(Sub)(lambda a: "sub")
    assert below_autograd(lambda: hop(sub)) == "sub"
    assert under(Mode(), sub) == "sub"


def test_all_that_refuse_make_a_typeerror(hop):
    hop.py_impl(Sub)(lambda a: NotImplemented)
    with pytest.raises(TypeError, match="HigherOrderOperator 'python_rules_hop' is not supported"):
        below_autograd(lambda: hop(Tensor._make_subclass(Sub, x)))


def test_key_sets_that_are_masked_from_the_start_can_be_taken_back(hop):
    assert not hop.non_fallthrough_keys.has(DispatchKey.AutocastCPU)
    hop.py_impl(DispatchKey.AutocastCPU)(lambda *a: "autocast")
    assert hop.non_fallthrough_keys.has(DispatchKey.AutocastCPU)
