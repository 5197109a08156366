"""Custom operators: what `custom_op` makes of a function, and what can be registered for it.

Rules that PyTorch has too run on both libraries: `lib` is one of them.
"""

import copy
import gc
import importlib
import pickle
import re
import sys
import warnings
import weakref

import numpy as np
import pytest

import runtime
from runtime import _core, custom_ops, operator_rules
from runtime._core import CustomKernel, CustomOp
from runtime.custom_ops import OPDEF_TO_LIB, OPDEFS

NS = "custom_op_tests"


@pytest.fixture(params=["runtime", pytest.param("torch", marks=pytest.mark.oracle)])
def lib(request):
    """A library with custom operators, this package or PyTorch; what a test defines is taken back."""
    module = pytest.importorskip(request.param)
    owners = OPDEF_TO_LIB if request.param == "runtime" else importlib.import_module("torch._library.custom_ops").OPDEF_TO_LIB
    yield module
    for name in [n for n in owners if n.startswith(f"{NS}::")]:
        owners.pop(name)._destroy()


@pytest.fixture
def op(lib):
    """`custom_op` in the tests' namespace, for functions whose hints call the library `T` (Tensor), `L` and `N` (Number)."""

    def decorate(name="f", source=None, **options):
        options.setdefault("mutates_args", ())
        if source is None:
            return lib.library.custom_op(f"{NS}::{name}", **options)
        names = {"T": lib.Tensor, "L": lib, "N": importlib.import_module(f"{lib.__name__}.types").Number, "__name__": __name__}
        exec(f"def {name}{source}", names)
        return lib.library.custom_op(f"{NS}::{name}", names[name], **options)

    return decorate


def version(tensor):
    return tensor._version


# ------------------------------------------------------------------------------------------------------- definitions


def test_a_function_becomes_an_operator(lib, op):
    f = op("f", "(x: T, n: int = 2) -> T: return x * n")
    x = lib.ones(2)
    assert f(x).tolist() == [2, 2] and f(x, n=3).tolist() == [3, 3] and f(x=x, n=4).tolist() == [4, 4]
    assert getattr(lib.ops, NS).f(x, 5).tolist() == [5, 5]
    assert f._opoverload is getattr(lib.ops, NS).f.default
    assert str(f._opoverload._schema) == f"{NS}::f(Tensor x, SymInt n=2) -> Tensor"
    assert repr(f) == f"<CustomOpDef({NS}::f)>"
    assert (f._namespace, f._name, f._qualname, f._schema) == (NS, "f", f"{NS}::f", "(Tensor x, SymInt n=2) -> Tensor")


def test_the_decorator_and_the_direct_form_make_the_same(lib):
    def f(x): return x.clone()  # fmt: skip

    f.__annotations__ = {"x": lib.Tensor, "return": lib.Tensor}
    direct = lib.library.custom_op(f"{NS}::direct", f, mutates_args=())
    decorated = lib.library.custom_op(f"{NS}::decorated", mutates_args=())(f)
    assert type(direct) is type(decorated) is lib.library.CustomOpDef
    assert direct._init_fn is decorated._init_fn is f


def test_a_definition_anew_replaces_the_older_one(lib, op):
    old = op("again", "(x: T) -> T: return x + 1")
    new = op("again", "(x: T, y: T) -> T: return x + y")
    x = lib.ones(1)
    assert new(x, x).item() == 2 and getattr(lib.ops, NS).again(x, x).item() == 2
    if lib is runtime:
        # PyTorch reads memory that it has freed.
        with pytest.raises(RuntimeError, match="its definition was removed"):
            old(x)


def test_a_name_needs_a_namespace(lib):
    with pytest.raises(ValueError):
        lib.library.custom_op("nameless", lambda x: x, mutates_args=(), schema="(Tensor x) -> Tensor")


def test_argument_errors_are_those_of_operators(lib, op):
    f = op("f", "(x: T) -> T: return x.clone()")
    with pytest.raises(RuntimeError, match=r"f\(\) is missing value for argument 'x'. Declaration: "):
        f()
    with pytest.raises(RuntimeError, match=r"f\(\) Expected a value of type 'Tensor' for argument 'x' but instead found type 'int'"):
        f(3)
    with pytest.raises(RuntimeError, match="Unable to cast 3 to Tensor"):
        op("g", "(x: T) -> T: return 3")(lib.ones(1))


def test_every_kind_of_result_comes_back(lib, op):
    x = lib.ones(2)
    assert op("i", "(x: T) -> int: return 3")(x) == 3
    assert op("n", "(x: T) -> None: pass")(x) is None
    assert op("l", "(x: T) -> list[T]: return [x.clone(), x + 1]")(x)[1].tolist() == [2, 2]
    one = op("o", "(x: T) -> tuple[T]: return (x.clone(),)")(x)
    pair = op("p", "(x: T) -> tuple[list[T], int]: return [x.clone()], 7")(x)
    assert isinstance(one, tuple) and len(one) == 1 and isinstance(pair[0], list) and pair[1] == 7


def test_defaults_reach_the_function(lib, op):
    source = (
        "(x: T, a: int | None = None, b: float = 3.14, c: bool = True, d: int = 3, e: str = 'foo', f: L.dtype = L.float32, "
        "g: L.device = L.device('cpu')) -> T:\n    seen.append((a, b, c, d, e, f, g)); return x.clone()"
    )
    f = op("defaults", source)
    f._init_fn.__globals__["seen"] = seen = []
    f(lib.ones(1))
    f(lib.ones(1), e="bar", g="cpu", f=lib.int64)
    assert seen[0] == (None, 3.14, True, 3, "foo", lib.float32, lib.device("cpu"))
    assert seen[1] == (None, 3.14, True, 3, "bar", lib.int64, lib.device("cpu"))
    values = [a.default_value for a in f._opoverload._schema.arguments]
    assert values == [None, None, 3.14, True, 3, "foo", 6, lib.device("cpu")]


def test_keyword_only_numbers_and_lists_pass(lib, op):
    f = op("k", "(x: T, ws: list[float], *, scale: N, on: bool = False) -> T: return x * sum(ws) * scale * (2 if on else 1)")
    assert f(lib.ones(1), [1, 2.5], scale=2).item() == 7
    assert f(lib.ones(1), ws=(1.0,), scale=1.5, on=True).item() == 3


def test_keyword_only_tensors_are_refused(lib, op):
    with pytest.raises(NotImplementedError, match="custom_op with kwarg-only Tensor args"):
        op("f", "(x: T, *, y: T) -> T: return x.clone()")
    with pytest.raises(NotImplementedError, match="custom_op with kwarg-only Tensor args"):
        lib.library.custom_op(f"{NS}::f", lambda x: x, mutates_args=(), schema="(Tensor x, *, Tensor? y=None) -> Tensor")


def test_a_schema_can_be_given(lib):
    f = lib.library.custom_op(f"{NS}::manual", lambda x, n=2.0: x * n, mutates_args=(), schema="(Tensor x, float n=2.0) -> Tensor")
    assert f(lib.ones(1)).item() == 2


def test_a_given_schema_writes_what_mutates_args_says(lib):
    for written, schema in (((), "(Tensor(a!) x) -> ()"), (("x",), "(Tensor x) -> ()"), (("x",), "(Tensor(a!) x, Tensor(b!) y) -> ()")):
        with pytest.raises(ValueError, match="Attempted to create a custom op with `mutates_args="):
            lib.library.custom_op(f"{NS}::f", lambda *a: None, mutates_args=written, schema=schema)


def test_tags_are_the_operators(lib, op):
    tags = [lib.Tag.needs_fixed_stride_order, lib.Tag.flexible_layout, lib.Tag.pointwise, lib.Tag.pointwise]
    f = op("f", "(x: T) -> T: return x.clone()", tags=tags)
    assert set(f._opoverload.tags) == {lib.Tag.pt2_compliant_tag, *tags}
    assert f._tags == tuple(tags[:3])
    assert op("g", "(x: T) -> T: return x.clone()", tags=lib.Tag.core)._tags == (lib.Tag.core,)


# -------------------------------------------------------------------------------------------------- aliases and writes

ALIASES = {
    "an argument": "(x: T) -> T: return x",
    "a view of an argument": "(x: T) -> T: return x.view(-1)",
    "an argument that is written": "(x: T) -> T: return x",
    "one of several": "(x: T) -> tuple[T, T]: return x.clone(), x",
    "another result": "(x: T) -> tuple[T, T]:\n    y = x.clone(); return y, y.view(-1)",
    "a result in a list": "(x: T) -> list[T]:\n    y = x.clone(); return [y, y[:1]]",
    "an empty argument": "(x: T) -> T: return x[:0]",
}


@pytest.mark.parametrize("what", ALIASES)
def test_results_may_not_share_memory_with(lib, op, what):
    f = op("f", ALIASES[what], mutates_args=("x",) if "written" in what else ())
    message = r"f \(with implementation in .*\): The output of this custom operator \(1\) must not also be an input to this custom operator"
    with pytest.raises(RuntimeError, match=message):
        f(lib.ones(2))


def test_a_list_of_arguments_is_looked_into(lib, op):
    f = op("f", "(xs: list[T], y: T | None = None) -> list[T]: return [x.view(-1) for x in xs]")
    with pytest.raises(RuntimeError, match="may not alias any inputs"):
        f([lib.ones(1), lib.ones(2)])


def test_long_lists_are_compared_too():
    with runtime.library._scoped_library(NS, "FRAGMENT"):

        @runtime.library.custom_op(f"{NS}::many", mutates_args=())
        def many(xs: list[runtime.Tensor], how: int) -> list[runtime.Tensor]:
            made = [x.clone() for x in xs]
            return {0: made, 1: [*made, xs[7][:]], 2: [*made, made[3][:]]}[how]

        xs = [runtime.ones(1) for _ in range(100)]
        assert len(many(xs, 0)) == 100
        for how in (1, 2):
            with pytest.raises(RuntimeError, match="may not alias any inputs"):
                many(xs, how)


def test_fresh_tensors_on_one_base_are_not_taken_for_fresh_results(lib, op):
    f = op("f", "(x: T) -> tuple[T, T]:\n    y = L.zeros(4); return y[:2], y[2:]")
    with pytest.raises(RuntimeError, match="or other returns"):
        f(lib.ones(2))


def test_the_error_names_the_module_of_the_function():
    @runtime.library.custom_op(f"{NS}::named", mutates_args=())
    def named(x: runtime.Tensor) -> runtime.Tensor:
        return x

    with pytest.raises(RuntimeError, match=re.escape(f"named (with implementation in {sys.modules[__name__]!r})")):
        named(runtime.ones(1))


def test_a_write_is_counted_before_the_function_runs(lib, op):
    f = op("f", "(x: T, ys: list[T], z: T | None, n: int) -> None:\n    seen.append((x._version, ys[0]._version)); x.mul_(2)", mutates_args="unknown")
    f._init_fn.__globals__["seen"] = seen = []
    x, y, z = lib.ones(1), lib.ones(1), lib.ones(1)
    f(x, [y], None, 1)
    assert seen == [(1, 1)]
    # The function's own operators count as well.
    assert (version(x), version(y)) == (2, 1)
    f(x, [y], z, 1)
    assert (version(y), version(z)) == (2, 1)


def test_a_write_by_keyword_is_counted(lib, op):
    f = op("f", "(x: T, *, out: T) -> T:\n    out.numpy()[...] = x.numpy(); return out", mutates_args=("out",), tags=lib.Tag.out)
    out = lib.zeros(2)
    assert f(lib.ones(2), out=out) is out
    assert out.tolist() == [1, 1] and version(out) == 1


def test_what_is_not_written_is_not_counted(lib, op):
    f = op("f", "(x: T, y: T) -> None: pass", mutates_args=("y",))
    x, y = lib.ones(1), lib.ones(1)
    f(x, y)
    assert (version(x), version(y)) == (0, 1)


def test_an_inplace_operator_returns_its_first_argument(lib, op):
    good = op("good", "(x: T) -> T: return x.mul_(2)", mutates_args=("x",), tags=lib.Tag.inplace)
    bad = op("bad", "(x: T) -> T: return x.clone()", mutates_args=("x",), tags=lib.Tag.inplace)
    x = lib.ones(1)
    assert good(x) is x and x.item() == 2
    with pytest.raises(RuntimeError, match=r"bad \(.*\): An operator tagged with torch.Tag.inplace must return its first argument."):
        bad(x)


def test_an_out_operator_returns_what_it_writes(lib, op):
    source = "(x: T, *, a: T, b: T) -> tuple[T, T]:\n    a.copy_(x); b.copy_(x); return {}"
    good = op("good", source.format("a, b"), mutates_args=("a", "b"), tags=lib.Tag.out)
    a, b = lib.zeros(1), lib.zeros(1)
    result = good(lib.ones(1), a=a, b=b)
    assert result[0] is a and result[1] is b and a.item() == 1
    for i, returned in enumerate(("b, a", "a, a", "a.clone(), b")):
        bad = op(f"bad{i}", source.format(returned), mutates_args=("a", "b"), tags=lib.Tag.out)
        with pytest.raises(RuntimeError, match="An operator tagged with torch.Tag.out must return its mutable keyword-only arguments."):
            bad(lib.ones(1), a=a, b=b)


def test_a_declared_view_is_one(lib):
    f = lib.library.custom_op(f"{NS}::view", lambda x: x[1:], mutates_args=(), schema="(Tensor(a) x) -> Tensor(a)")
    x = lib.ones(3)
    assert f(x)._is_view() and f(x)._base is x
    same = lib.library.custom_op(f"{NS}::same", lambda x: x, mutates_args=(), schema="(Tensor(a) x) -> Tensor(a)")
    with pytest.raises(RuntimeError, match="View operation returned a tensor that is the same as the input base tensor"):
        same(x)


def test_memory_that_is_read_only_is_not_written():
    @runtime.library.custom_op(f"{NS}::writes", mutates_args=("xs",))
    def writes(xs: list[runtime.Tensor]) -> None:
        xs[0].zero_()

    array = np.ones(2)
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = runtime.from_numpy(array)
    with pytest.raises(RuntimeError, match="read-only"):
        writes([runtime.ones(1), frozen])


# ------------------------------------------------------------------------------------------------------------ kernels


def test_device_types_have_functions_of_their_own(lib, op):
    f = op("f", "(x: T) -> T: return x + 1", device_types="cpu")
    assert f(lib.ones(1)).item() == 2
    with pytest.raises(RuntimeError, match="There was no fake impl registered for"):
        f(lib.ones(1, device="meta"))
    g = op("g", "(x: T) -> T: return x + 1", device_types=["cuda", "xpu"])
    with pytest.raises(NotImplementedError):
        g(lib.ones(1))
    assert g.register_kernel("cpu", lambda x: x + 2)(lib.ones(1)).item() == 3
    assert g(lib.ones(1)).item() == 3


def test_register_kernel_is_a_decorator_and_takes_the_place_of_the_older_function(lib, op):
    f = op("f", "(x: T) -> T: return x + 1")

    @f.register_kernel("cpu")
    def cpu(x):
        return x + 2

    assert cpu(lib.ones(1)).item() == 3 and f(lib.ones(1)).item() == 3
    f.register_kernel(["cpu", "cuda"])(lambda x: x + 3)
    assert f(lib.ones(1)).item() == 4
    f.register_kernel(None, lambda x: x + 9)
    assert f(lib.ones(1)).item() == 4


def test_a_disabled_kernel_gives_way_to_the_first_function(lib, op):
    f = op("f", "(x: T) -> T: return x + 1")
    f.register_kernel("cpu", lambda x: x + 2)
    x = lib.ones(1)
    with f.set_kernel_enabled("cpu", enabled=False):
        assert f(x).item() == 2
        with f.set_kernel_enabled("cpu"):
            assert f(x).item() == 3
        assert f(x).item() == 2
    assert f(x).item() == 3


def test_a_kernel_that_is_registered_while_disabled_is_disabled(lib, op, caplog):
    f = op("f", "(x: T) -> T: return x + 1")
    with f.set_kernel_enabled("cpu", enabled=False):
        f.register_kernel("cpu", lambda x: x + 2)
        assert f(lib.ones(1)).item() == 2
    assert f(lib.ones(1)).item() == 3


def test_switching_to_what_is_there_is_logged(caplog):
    @runtime.library.custom_op(f"{NS}::logged", mutates_args=())
    def logged(x: runtime.Tensor) -> runtime.Tensor:
        return x.clone()

    with logged.set_kernel_enabled("cpu"), logged.set_kernel_enabled("cpu", enabled=False), logged.set_kernel_enabled("cpu", enabled=False):
        pass
    assert [r.getMessage() for r in caplog.records] == [
        "Attempted to enable kernel for  cpu but it was already enabled.",
        "Attempted to disable kernel for cpu but no kernel was registered for this device type.",
        "Attempted to disable kernel for cpu but it was already disabled.",
    ]


def test_without_tensors_the_device_says_which_function_runs(lib, op):
    f = op("f", "(n: int, device: L.device) -> T: return L.ones(n)", device_types="cpu")
    assert f(2, "cpu").tolist() == [1, 1] and f(2, device=lib.device("cpu")).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="f does not have a kernel registered for cuda. Please use register_kernel to do so."):
        f(2, "cuda")
    with pytest.raises(ValueError, match="Functions without tensor inputs are required to have a `device: torch.device` argument"):
        op("g", "(n: int) -> T: return L.ones(n)", device_types="cpu")
    assert op("h", "(n: int) -> T: return L.ones(n)")(3).tolist() == [1, 1, 1]


def test_the_device_may_be_the_default_or_keyword_only():
    @runtime.library.custom_op(f"{NS}::made", mutates_args=(), device_types="cpu")
    def made(n: int, *, device: runtime.device = "cpu") -> runtime.Tensor:
        return runtime.ones(n)

    assert made(2).tolist() == made(2, device="cpu").tolist() == [1, 1]


def test_module_functions_register_for_custom_and_other_operators(lib, op):
    library = lib.library
    f = op("f", "(x: T) -> T: return x + 1")
    library.register_kernel(f"{NS}::f", "cpu", lambda x: x + 2)
    assert f(lib.ones(1)).item() == 3
    library.register_kernel(f._opoverload, "cpu")(lambda x: x + 3)
    assert f(lib.ones(1)).item() == 4
    with library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("low(Tensor x) -> Tensor")
        library.register_kernel(f"{NS}::low", "cpu", lambda x: x + 5, lib=owner)
        assert getattr(lib.ops, NS).low(lib.ones(1)).item() == 6
        library.register_fake(f"{NS}::low", lambda x: x.new_empty(7), lib=owner)
        assert getattr(lib.ops, NS).low(lib.ones(1, device="meta")).shape == (7,)


@pytest.mark.parametrize("function", ["register_kernel", "register_fake", "register_autograd", "register_vmap", "register_torch_dispatch"])
def test_module_functions_take_operators_only(lib, function):
    with pytest.raises(ValueError, match=rf"{function}\(3\): got unexpected type for op: <class 'int'>"):
        getattr(lib.library, function)(3, lambda: None)


def test_default_and_dispatch_keys_are_device_types_of_impl(lib):
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        for i, types in enumerate(("default", "CPU", "cpu", ["cuda", "cpu"], "CompositeImplicitAutograd")):
            lib.library.define(f"{NS}::i{i}", "(Tensor x) -> Tensor", lib=owner)
            lib.library.impl(f"{NS}::i{i}", types, lambda x: x + 1, lib=owner)
            assert getattr(getattr(lib.ops, NS), f"i{i}")(lib.ones(1)).item() == 2
        with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
            lib.library.impl(f"{NS}::i0", "nowhere", lambda x: x)


@pytest.mark.parametrize("schema", ["Tensor", "f(Tensor x) -> Tensor", "(Tensor x)", ""])
def test_define_wants_a_schema_without_a_name(lib, schema):
    with pytest.raises(ValueError, match="expected schema to look like e.g."):
        lib.library.define(f"{NS}::f", schema)


@pytest.mark.parametrize("name", ["f", "a::b::c"])
def test_qualified_names_have_two_parts(lib, name):
    with pytest.raises(ValueError, match='Expected `qualname` to be of the form "namespace::name"'):
        lib.library.define(name, "(Tensor x) -> Tensor")


# ------------------------------------------------------------------------------------------------- tensors without data


def test_a_fake_rule_serves_meta_tensors(lib, op):
    f = op("f", "(x: T) -> T: return x.clone()")
    x = lib.ones(2, 3, device="meta")
    with pytest.raises(RuntimeError, match=r"There was no fake impl registered for <CustomOpDef\(.*::f\)>.*Please use `f.register_fake` to add an"):
        f(x)

    @f.register_fake
    def rule(x):
        return x.new_empty(x.shape[::-1])

    assert f(x).shape == (3, 2) and f(x).is_meta
    f.register_fake(lambda x: x.new_empty(1))
    assert f(x).shape == (1,)


def test_operators_that_return_nothing_or_what_they_write_need_no_fake_rule(lib, op):
    x = lib.ones(2, device="meta")
    assert op("f", "(x: T) -> None: x.zero_()", mutates_args=("x",))(x) is None
    assert op("g", "(x: T) -> T: return x", mutates_args=("x",), tags=lib.Tag.inplace)(x) is x
    out = lib.ones(2, device="meta")
    h = op("h", "(x: T, *, out: T) -> T: return out", mutates_args=("out",), tags=lib.Tag.out)
    assert h(x, out=out) is out
    with pytest.warns(UserWarning, match="The fake registration for .* is unnecessary"):
        h.register_fake(lambda x, *, out: out)


def test_sizes_that_depend_on_data_are_refused_for_meta_tensors(lib, op):
    f = op("f", "(x: T) -> T: return x.clone()")
    f.register_fake(lambda x: x.new_empty(lib.library.get_ctx().new_dynamic_size()))
    with pytest.raises(RuntimeError, match="You're trying to run this operator with meta Tensors"):
        f(lib.ones(1, device="meta"))
    assert lib.library.get_ctx() is None


def test_a_fake_rule_is_not_overridden_where_that_is_forbidden(lib):
    register = lib.library.register_fake
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("a(Tensor x) -> Tensor")
        register(f"{NS}::a", lambda x: x.clone(), lib=owner, allow_override=False)
        message = rf"the operator {NS}::a already has a fake impl registered at .*test_custom_op.py:\d+\."
        with pytest.raises(RuntimeError, match=message):
            register(f"{NS}::a", lambda x: x.clone(), lib=owner, allow_override=False)
        owner.define("b(Tensor x) -> Tensor")
        owner.impl("b", lambda x: x.clone(), "Meta")
        with pytest.raises(RuntimeError, match="already has a DispatchKey::Meta implementation"):
            register(f"{NS}::b", lambda x: x.clone(), lib=owner, allow_override=False)
        owner.define("c(Tensor x) -> Tensor")
        owner.impl("c", lambda x: x.clone(), "CompositeImplicitAutograd")
        with pytest.raises(RuntimeError, match="already has an implementation for this device type"):
            register(f"{NS}::c", lambda x: x.clone(), lib=owner, allow_override=False)
        with pytest.raises(RuntimeError, match="We should not register a meta kernel directly"):
            register(f"{NS}::c", lambda x: x.clone(), lib=owner)


def test_a_fake_rule_ends_with_its_library():
    owner = runtime.Library(NS, "FRAGMENT")
    owner.define("short(Tensor x) -> Tensor")
    runtime.library.register_fake(f"{NS}::short", lambda x: x, lib=owner)
    assert operator_rules.fake_rule(f"{NS}::short").source.partition(":")[0] == __file__
    owner._destroy()
    assert operator_rules.fake_rule(f"{NS}::short") is None


def test_impl_abstract_is_the_former_name(lib, op):
    f = op("f", "(x: T) -> T: return x.clone()")
    with pytest.warns(FutureWarning, match="was renamed to `torch.library.register_fake`"):
        lib.library.impl_abstract(f"{NS}::f", lambda x: x.new_empty(3))
    assert f(lib.ones(1, device="meta")).shape == (3,)


# ---------------------------------------------------------------------------------------------- rules of other systems


def test_a_formula_for_gradients_is_kept(lib, op):
    f = op("f", "(x: T) -> T: return x.clone()")
    backward, setup = (lambda ctx, grad: grad), (lambda ctx, inputs, output: None)
    lib.library.register_autograd(f"{NS}::f", backward, setup_context=setup)
    assert (f._backward_fn, f._setup_context_fn) == (backward, setup)


def test_operators_that_write_have_no_formula(lib, op):
    f = op("f", "(x: T) -> None: pass", mutates_args=("x",))
    with pytest.raises(RuntimeError, match="Cannot register autograd formula for non-functional operator <CustomOpDef"):
        f.register_autograd(lambda ctx, grad: grad)
    out = op("out", "(x: T, *, out: T) -> T: return out", mutates_args=("out",), tags=lib.Tag.out)
    with pytest.raises(RuntimeError, match="Out variants do not support autograd"):
        out.register_autograd(lambda ctx, grad: grad)
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("low(Tensor(a!) x) -> ()")
        with pytest.raises(RuntimeError, match="Cannot register autograd formula for non-functional operator"):
            lib.library.register_autograd(f"{NS}::low", lambda ctx, grad: grad)
        owner.define("kw(Tensor x, *, Tensor y) -> Tensor")
        for register in (lib.library.register_autograd, lib.library.register_vmap):
            with pytest.raises(NotImplementedError, match="with kwarg-only Tensor args"):
                register(f"{NS}::kw", lambda *a: None)
    with pytest.raises(AttributeError, match=f"'_OpNamespace' '{NS}' object has no attribute 'nope'"):
        lib.library.register_autograd(f"{NS}::nope", lambda ctx, grad: grad)


def test_rules_of_plain_operators_end_with_their_library():
    owner = runtime.Library(NS, "FRAGMENT")
    owner.define("plain(Tensor x) -> Tensor")
    name = f"{NS}::plain"
    runtime.library.register_autograd(name, print, setup_context=len, lib=owner)
    runtime.library.register_vmap(name, lib=owner)(max)
    assert (operator_rules.autograd_formulas[name].backward, operator_rules.vmap_rules[name]) == (print, max)
    owner._destroy()
    assert name not in operator_rules.autograd_formulas and name not in operator_rules.vmap_rules


def test_a_vmap_rule_is_kept():
    @runtime.library.custom_op(f"{NS}::batched", mutates_args=())
    def batched(x: runtime.Tensor) -> runtime.Tensor:
        return x.clone()

    assert batched.register_vmap(print) is print and batched._vmap_fn is print
    assert batched.register_vmap()(len) is len and batched._vmap_fn is len


def test_rules_for_classes_stand_on_the_operator():
    class Mode:
        pass

    @runtime.library.custom_op(f"{NS}::ruled", mutates_args=())
    def ruled(x: runtime.Tensor) -> runtime.Tensor:
        return x.clone()

    def rule(mode, func, types, args, kwargs):
        return "ruled"

    assert operator_rules.find_torch_dispatch_rule(ruled._opoverload, Mode) is None
    assert ruled.register_torch_dispatch(Mode, rule) is rule
    found = operator_rules.find_torch_dispatch_rule(ruled._opoverload, Mode)
    assert found is ruled._opoverload.torch_dispatch_rules[Mode] and found(None, None, (), (), {}) == "ruled"
    # A custom operator's rule may be replaced, a plain operator's not.
    ruled.register_torch_dispatch(Mode)(lambda *a: "replaced")
    assert found(None, None, (), (), {}) == "replaced"
    with runtime.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("low(Tensor x) -> Tensor")
        low = getattr(runtime.ops, NS).low.default
        runtime.library.register_torch_dispatch(f"{NS}::low", Mode, rule, lib=owner)
        with pytest.raises(RuntimeError, match="already has a `__torch_dispatch__` rule registered for"):
            runtime.library.register_torch_dispatch(low, Mode, rule, lib=owner)
        assert operator_rules.find_torch_dispatch_rule(low, Mode) is rule
    assert operator_rules.find_torch_dispatch_rule(low, Mode) is None


def test_autocast_casts_floating_point_arguments(lib, op):
    f = op("f", "(x: T, y: T, zs: list[T]) -> T:\n    seen.append((x.dtype, y.dtype, zs[0].dtype)); return x.clone()")
    f._init_fn.__globals__["seen"] = seen = []
    lib.library.register_autocast(f"{NS}::f", "cpu", lib.bfloat16)
    core = lib._core if lib is runtime else lib._C
    x, n = lib.ones(1), lib.ones(1, dtype=lib.int64)
    f(x, n, [x])
    excluded = core._dispatch_tls_local_exclude_set().remove(core.DispatchKey.AutocastCPU if lib is runtime else "AutocastCPU")
    with core._ForceDispatchKeyGuard(core._dispatch_tls_local_include_set(), excluded):
        f(x, n, [x])
        f(x.double(), n, [x])
    assert seen == [
        (lib.float32, lib.int64, lib.float32), (lib.bfloat16, lib.int64, lib.bfloat16), (lib.float64, lib.int64, lib.bfloat16),
    ]  # fmt: skip


def test_autocast_needs_a_device_type_that_has_it(lib, op):
    f = op("f", "(x: T) -> T: return x.clone()")
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        f.register_autocast(3, lib.float16)
    with pytest.raises(ValueError, match="Device type 'vulkan' does not support autocast."):
        f.register_autocast("vulkan", lib.float16)


# ------------------------------------------------------------------------------------------------------------- kernels


def test_a_kernel_can_be_called_with_a_key_set(lib):
    core = lib._core if lib is runtime else lib._C
    kernel = lib.library.get_kernel("aten::add.Tensor", "CPU")
    keys = core.DispatchKeySet(core.DispatchKey.CPU)
    assert kernel.call_boxed(keys, lib.ones(1), lib.ones(1), alpha=2).item() == 3
    assert lib.library.get_kernel(lib.ops.aten.add.Tensor, core.DispatchKey.CPU).call_boxed(keys, lib.ones(1), lib.ones(1)).item() == 2
    assert re.fullmatch(r"SafeKernelFunction\(debug='.*'\)", repr(kernel))


@pytest.mark.filterwarnings("ignore:Warning only once")
def test_a_replaced_kernel_lives_on_in_its_object(lib):
    core = lib._core if lib is runtime else lib._C
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("low(Tensor x) -> Tensor")
        owner.impl("low", lambda x: x + 1, "CPU")
        kernel = lib.library.get_kernel(f"{NS}::low", "CPU")
        owner.impl("low", lambda keys, x: kernel.call_boxed(keys, x) * 10, "CPU", with_keyset=True, allow_override=True)
        assert getattr(lib.ops, NS).low(lib.ones(1)).item() == 20
    if lib is runtime:
        with pytest.raises(RuntimeError, match="its definition was removed"):
            kernel.call_boxed(core.DispatchKeySet("CPU"), lib.ones(1))


def test_kernels_that_are_not_there_are_refused(lib):
    get = lib.library.get_kernel
    with pytest.raises(ValueError, match=r"get_kernel\(3\): got unexpected type for op: <class 'int'>"):
        get(3, "CPU")
    with pytest.raises(ValueError, match="Invalid dispatch key: CPUU"):
        get("aten::add.Tensor", "CPUU")
    with pytest.raises(RuntimeError, match=f"operator {NS}::nope does not exist"):
        get(f"{NS}::nope", "CPU")
    if lib is runtime:
        with pytest.raises(TypeError):
            get("aten::add.Tensor", "CPU")("no key set")
        with pytest.raises(TypeError):
            type(get("aten::add.Tensor", "CPU"))()


# ---------------------------------------------------------------------------------------------------------- the objects


def test_an_unfinished_definition_raises_when_it_is_called():
    blank = runtime.library.CustomOpDef.__new__(runtime.library.CustomOpDef)
    with pytest.raises(RuntimeError, match="has no schema yet"):
        blank()
    with pytest.raises(RuntimeError, match="has no schema yet"):
        CustomOp()(1)
    with pytest.raises(TypeError):
        CustomOp()._stand_for(None)


def test_a_definition_stands_for_one_operator():
    @runtime.library.custom_op(f"{NS}::fixed", mutates_args=())
    def fixed(x: runtime.Tensor) -> runtime.Tensor:
        return x.clone()

    with pytest.raises(RuntimeError, match="is an operator already"):
        fixed._stand_for(runtime.ops.aten.sin.default)


def test_a_subclass_of_a_definition_can_be_called_in_its_own_way():
    class Louder(runtime.library.CustomOpDef):
        def __call__(self, *args):
            return "called", super().__call__(*args).item()

    loud = Louder(NS, "loud", "(Tensor x) -> Tensor", lambda x: x + 1)
    loud.register_kernel(None, lambda x: x + 1)
    assert loud(runtime.ones(1)) == ("called", 2.0)
    with pytest.raises(TypeError, match="called in its own way"):
        _core._call_as_operator(Louder)
    with pytest.raises(TypeError, match="called in its own way"):
        _core._call_as_operator(int)


def test_a_custom_kernel_wants_a_promise_that_it_knows():
    with pytest.raises(ValueError):
        CustomKernel("f", "nothing", print, print)
    empty = CustomKernel.__new__(CustomKernel)
    with runtime.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("low(Tensor x) -> Tensor")
        owner.impl("low", empty, "CPU")
        with pytest.raises(TypeError):
            getattr(runtime.ops, NS).low(runtime.ones(1))


@pytest.mark.parametrize("kernel", ["_custom_autograd", "_custom_mutation", "_custom_view"])
def test_kernels_that_call_on_do_not_call_themselves(kernel):
    with runtime.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("wrong(Tensor x) -> Tensor")
        owner.impl("wrong", getattr(_core, kernel), "CPU")
        with pytest.raises(RuntimeError, match="belongs to a key above the backends'"):
            getattr(runtime.ops, NS).wrong(runtime.ones(1))


def test_a_function_may_replace_itself_while_it_runs():
    @runtime.library.custom_op(f"{NS}::changing", mutates_args=())
    def changing(x: runtime.Tensor) -> runtime.Tensor:
        changing.register_kernel(None, lambda x: x + 10)
        gc.collect()
        return x + 1

    changing._init_fn = None
    assert [changing(runtime.ones(1)).item() for _ in range(2)] == [2, 11]


def test_a_definition_may_be_replaced_while_it_runs():
    @runtime.library.custom_op(f"{NS}::vanishing", mutates_args=())
    def vanishing(x: runtime.Tensor) -> runtime.Tensor:
        OPDEF_TO_LIB.pop(f"{NS}::vanishing")._destroy()
        gc.collect()
        return x + 1

    assert vanishing(runtime.ones(1)).item() == 2
    with pytest.raises(RuntimeError, match="its definition was removed"):
        vanishing(runtime.ones(1))


def test_a_definition_that_was_replaced_is_freed():
    def define():
        @runtime.library.custom_op(f"{NS}::freed", mutates_args=())
        def freed(x: runtime.Tensor) -> runtime.Tensor:
            return x.clone()

        freed(runtime.ones(1))
        return weakref.ref(freed)

    first = define()
    second = define()
    gc.collect()
    assert first() is None and second() is OPDEFS[f"{NS}::freed"]


def test_a_definition_is_copied_and_pickled_by_name():
    @runtime.library.custom_op(f"{NS}::pickled", mutates_args=())
    def pickled(x: runtime.Tensor) -> runtime.Tensor:
        return x.clone()

    assert copy.copy(pickled) is copy.deepcopy(pickled) is pickle.loads(pickle.dumps(pickled)) is pickled
    with pytest.raises(AttributeError, match="there is no custom operator"):
        custom_ops._opdef_by_name(f"{NS}::nope")


def test_the_kernel_is_registered_at_the_users_function(op_source=__file__):
    @runtime.library.custom_op(f"{NS}::placed", mutates_args=())
    def placed(x: runtime.Tensor) -> runtime.Tensor:
        return x.clone()

    line = placed._init_fn.__code__.co_firstlineno
    assert f"registered at {op_source}:{line} [default backend kernel]" in _core._dispatch_dump_table(f"{NS}::placed")


def test_more_arguments_than_fit_on_the_stack_pass():
    names = {"T": runtime.Tensor}
    exec(f"def wide({', '.join(f't{i}: T' for i in range(70))}) -> T: return t0 + t69", names)
    wide = runtime.library.custom_op(f"{NS}::wide", names["wide"], mutates_args=())
    assert wide(*[runtime.full((1,), float(i)) for i in range(70)]).item() == 69


def test_endless_recursion_raises():
    @runtime.library.custom_op(f"{NS}::endless", mutates_args=())
    def endless(x: runtime.Tensor) -> runtime.Tensor:
        return endless(x)

    with pytest.raises(RecursionError):
        endless(runtime.ones(1))


# ---------------------------------------------------------------------------------------------------- modes, subclasses


@pytest.fixture
def dispatch(lib):
    """Module with TorchDispatchMode, and a function that makes a wrapper tensor of a subclass."""
    mode = _core.TorchDispatchMode if lib is runtime else importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
    return mode, lambda cls, x: lib.Tensor._make_wrapper_subclass(cls, x.shape, dtype=x.dtype)


def test_a_rule_takes_the_place_of_a_modes_handler(lib, op, dispatch):
    Base, _ = dispatch

    class Mode(Base):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    class Derived(Mode):
        pass

    seen = []
    f = op("f", "(x: T, n: int = 1, *, k: int = 2) -> T: return x * n * k")

    @lib.library.register_torch_dispatch(f"{NS}::f", Mode)
    def rule(mode, func, types, args, kwargs):
        assert isinstance(mode, Mode) and types == ()
        seen.append((func, args[1:], kwargs))
        return func(*args, **kwargs) + 1

    x = lib.ones(1)
    with Mode():
        results = f(x, 3, k=5), f(x)
    assert [r.item() for r in results] == [16, 3]
    assert seen == [(f._opoverload, (3,), {"k": 5}), (f._opoverload, (), {})]
    # The class itself is meant, and the operator.
    del seen[:]
    with Derived():
        result = f(x)
    assert result.item() == 2
    with Mode():
        x.clone()
    assert seen == [f._opoverload, lib.ops.aten.clone.default]


def test_a_rule_takes_the_place_of_a_subclasss_handler(lib, op, dispatch):
    _, wrap = dispatch

    class Wrapper(lib.Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    f = op("f", "(xs: list[T]) -> T: return xs[0].clone()")
    x = wrap(Wrapper, lib.ones(2))
    with pytest.raises(TypeError, match="Multiple dispatch failed"):
        f([x])
    f.register_torch_dispatch(Wrapper, lambda cls, func, types, args, kwargs: (seen.append((cls, str(func), types, kwargs)), lib.zeros(1))[1])
    seen = []
    assert f([lib.ones(2), x]).item() == 0
    assert seen == [(Wrapper, str(f._opoverload), (Wrapper,), {})]  # PyTorch may make the overload's object anew
    f.register_torch_dispatch(Wrapper, lambda *a: NotImplemented)
    with pytest.raises(TypeError, match="Multiple dispatch failed"):
        f([x])


def test_a_rule_may_raise_or_take_itself_back(lib, dispatch):
    Base, _ = dispatch

    class Mode(Base):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    with lib.library._scoped_library(NS, "FRAGMENT") as owner, lib.library._scoped_library(NS, "FRAGMENT") as rules:
        owner.define("low(Tensor x) -> Tensor")
        owner.impl("low", lambda x: x + 1, "CPU")

        def rule(mode, func, types, args, kwargs):
            rules._destroy()
            raise ValueError("no")

        lib.library.register_torch_dispatch(f"{NS}::low", Mode, rule, lib=rules)
        with Mode():
            with pytest.raises(ValueError, match="no"):
                getattr(lib.ops, NS).low(lib.ones(1))
            assert getattr(lib.ops, NS).low(lib.ones(1)).item() == 2
