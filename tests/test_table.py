"""Dispatch tables: the precedence rules, registration and deregistration, invariants, and PyTorch's dumps as the oracle."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime import DispatchKey, DispatchKeySet, _core

NS = "__table__"
FOO = f"{NS}::foo"
KEYS = [
    "CPU", "CUDA", "XLA", "Lazy", "FPGA", "Meta", "PrivateUse1", "QuantizedCPU", "SparseCPU", "SparseCsrCUDA", "NestedTensorCPU",
    "AutogradCPU", "AutogradXLA", "AutogradOther", "Autograd", "CompositeImplicitAutograd", "CompositeExplicitAutograd",
    "CompositeExplicitAutogradNonFunctional", "CompositeImplicitAutogradNestedTensor", "FuncTorchBatched",
    "FuncTorchBatchedDecomposition", "ADInplaceOrView", "BackendSelect", "Functionalize", "Python", "",
]  # fmt: skip


def block(core=_core):
    return core._dispatch_library("FRAGMENT", NS, "")


def table(core=_core):
    """The computed table as a dict, without backend fallbacks (PyTorch has more of them)."""
    lines = core._dispatch_dump_table(FOO).splitlines()
    return dict(line.split(": ", 1) for line in lines if not line.endswith("[backend fallback]"))


def register(kernels, core=_core, define=True):
    """Register a kernel at each key, each by a block of its own; the blocks."""
    blocks = []
    if define:
        blocks.append(block(core))
        blocks[-1].def_("foo(Tensor x) -> Tensor")
    for key, name in kernels:
        blocks.append(block(core))
        blocks[-1].impl_t_t("foo", dispatch=key, debug=name)
    return blocks


@pytest.fixture(autouse=True)
def no_rests():
    assert _core._dispatch_dump(FOO) == ""
    yield
    _core._dispatch_check_all_invariants()
    assert _core._dispatch_dump(FOO) == ""


# (kernels, {key: (kernel, rule) or None for an empty slot})
RULES = [
    (["CPU"], {"CPU": ("CPU", "kernel"), "CUDA": None, "Undefined": None}),
    (["CompositeImplicitAutograd"], {**dict.fromkeys(["CPU", "AutogradCPU", "Undefined", "NestedTensorCPU"],
                                                     ("CompositeImplicitAutograd", "math kernel")), "Functionalize": None}),
    (["CPU", "CompositeImplicitAutograd"], {"CPU": ("CPU", "kernel"), "AutogradCPU": None, "XLA": ("CompositeImplicitAutograd", "math kernel"),
                                            "AutogradXLA": ("CompositeImplicitAutograd", "math kernel")}),
    (["CompositeExplicitAutograd", "CompositeImplicitAutograd"], {"CPU": ("CompositeExplicitAutograd", "default backend kernel"), "AutogradCPU": None,
                                                                  "Undefined": ("CompositeExplicitAutograd", "default backend kernel"),
                                                                  "NestedTensorCPU": None}),
    (["CompositeExplicitAutogradNonFunctional", "CompositeExplicitAutograd"],
     {"CPU": ("CompositeExplicitAutogradNonFunctional", "default backend kernel"), "XLA": ("CompositeExplicitAutograd", "default backend kernel"),
      "SparseCPU": ("CompositeExplicitAutograd", "default backend kernel"),
      "SparseCsrCPU": ("CompositeExplicitAutogradNonFunctional", "default backend kernel")}),
    (["Autograd", "CompositeImplicitAutograd"], {"AutogradCPU": ("CompositeImplicitAutograd", "math kernel")}),
    (["Autograd", "CPU", "CompositeImplicitAutograd"], {"AutogradCPU": ("Autograd", "autograd kernel"),
                                                        "AutogradXLA": ("CompositeImplicitAutograd", "math kernel")}),
    (["Autograd"], {"AutogradCPU": ("Autograd", "autograd kernel"), "AutogradOther": ("Autograd", "autograd kernel"),
                    "AutogradNestedTensor": ("Autograd", "autograd kernel"), "CPU": None}),
    (["CompositeImplicitAutogradNestedTensor", "CompositeImplicitAutograd"],
     {"NestedTensorCPU": ("CompositeImplicitAutogradNestedTensor", "nested kernel"), "CPU": ("CompositeImplicitAutograd", "math kernel"),
      "AutogradNestedTensor": ("CompositeImplicitAutogradNestedTensor", "nested kernel")}),
    (["FuncTorchBatchedDecomposition"], {"FuncTorchBatched": ("FuncTorchBatchedDecomposition", "batched kernel"), "CPU": None}),
    (["FPGA", "CompositeImplicitAutograd"], {"AutogradOther": ("ambiguous_autogradother", "ambiguous autogradother"), "FPGA": ("FPGA", "kernel")}),
    (["SparseCPU", "CompositeImplicitAutograd"], {"AutogradOther": ("ambiguous_autogradother", "ambiguous autogradother")}),
    (["NestedTensorCPU", "CompositeImplicitAutograd"], {"AutogradNestedTensor": None}),
]  # fmt: skip


@pytest.mark.parametrize("kernels, expected", RULES, ids=["+".join(k) for k, _ in RULES])
def test_precedence_rule(kernels, expected):
    blocks = register([(k, k) for k in kernels])
    found = table()
    for key, want in expected.items():
        assert found.get(key) == (None if want is None else f"{want[0]} [{want[1]}]"), key
    for b in blocks:
        b.reset()


def test_a_full_table_has_137_slots():
    assert len(_core._dispatch_keyset_full()) == 137 - 1  # Undefined has no bit


def test_the_newest_kernel_is_active_and_older_ones_come_back():
    first, second, third = register([("CPU", "first"), ("CPU", "second"), ("CPU", "third")], define=False)
    assert "CPU: third" in _core._dispatch_dump(FOO) and "CPU (inactive): second" in _core._dispatch_dump(FOO)
    second.reset()
    assert table()["CPU"] == "third [kernel]"
    third.reset()
    assert table()["CPU"] == "first [kernel]"
    first.reset()


@st.composite
def registrations(draw):
    return draw(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=6))


@settings(max_examples=60, deadline=None)
@given(registrations(), st.randoms(use_true_random=False))
def test_registrations_for_different_keys_commute(kernels, rng):
    def dumps(sequence):
        blocks = register(sequence)
        text = _core._dispatch_dump(FOO), _core._dispatch_dump_table(FOO)
        _core._dispatch_check_invariants(FOO)
        for b in blocks:
            b.reset()
        return text

    other = list(kernels)
    rng.shuffle(other)
    # Keep the order within each key.
    stacks = {}
    for key, name in kernels:
        stacks.setdefault(key or "CompositeImplicitAutograd", []).append(name)
    other = [(key, stacks[key or "CompositeImplicitAutograd"].pop(0)) for key, _ in other]
    assert dumps(kernels) == dumps(other)


@settings(max_examples=60, deadline=None)
@given(registrations(), st.randoms(use_true_random=False))
def test_deregistration_in_any_order_leaves_what_registering_the_rest_gives(kernels, rng):
    blocks = register(kernels)
    kept = [i for i in range(len(kernels)) if rng.random() < 0.5]
    gone = [i for i in range(len(kernels)) if i not in kept]
    rng.shuffle(gone)
    for i in gone:
        blocks[i + 1].reset()
        _core._dispatch_check_invariants(FOO)
    text = _core._dispatch_dump(FOO), _core._dispatch_dump_table(FOO)
    for i in kept:
        blocks[i + 1].reset()
    blocks[0].reset()
    again = register([kernels[i] for i in kept])
    assert text == (_core._dispatch_dump(FOO), _core._dispatch_dump_table(FOO))
    for b in again:
        b.reset()


FAILURES = [
    lambda b: b.def_("foo(Tensor x) -> Tensor"),
    lambda b: b.def_("bar("),
    lambda b: b.def_("bar"),
    lambda b: b.def_("other::bar(Tensor x) -> Tensor"),
    lambda b: b.impl_t_t("foo", dispatch="NoKey"),
    lambda b: b.impl_t_t("other::foo", dispatch="CPU"),
    lambda b: b.impl_t_t("foo", dispatch="Dense"),
    lambda b: b.impl("foo", "CPU", 3),
    lambda b: b.fallback("CPU", lambda *a: None),
    lambda b: b.define("foo2(Tensor x) -> Tensor", "WRONG"),
    lambda b: b.def_schema_t_t("foo3(Tensor x, Tensor y) -> Tensor"),
]


@pytest.mark.parametrize("fail", FAILURES)
def test_a_failing_registration_leaves_everything_as_it_was(fail):
    blocks = register([("CPU", "kernel"), ("Autograd", "gradient")])
    names = sorted(_core._dispatch_get_all_op_names())
    before = _core._dispatch_dump(FOO), _core._dispatch_dump_table(FOO), names
    failing = block()
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        fail(failing)
    failing.reset()
    assert before == (_core._dispatch_dump(FOO), _core._dispatch_dump_table(FOO), sorted(_core._dispatch_get_all_op_names()))
    for b in blocks:
        b.reset()


def test_a_backend_fallback_fills_the_slots_of_all_operators_and_leaves_them_again():
    blocks = register([("CPU", "kernel")])
    everything = _core._dispatch_library("IMPL", "_", "")
    everything.fallback("PrivateUse2", lambda op, *args: None)
    assert "PrivateUse2" in _core._dispatch_dump_table(FOO) and "PrivateUse2" in _core._dispatch_dump_table("aten::add.Tensor")
    _core._dispatch_check_all_invariants()
    with pytest.raises(RuntimeError, match="Tried to register multiple backend fallbacks for the same dispatch key PrivateUse2"):
        _core._dispatch_library("IMPL", "_", "").fallback("PrivateUse2", lambda op, *args: None)
    everything.reset()
    assert "PrivateUse2" not in _core._dispatch_dump_table(FOO)
    for b in blocks:
        b.reset()


def test_a_fallthrough_of_one_backend_is_skipped_for_that_backend_only():
    lib = runtime.Library(NS, "FRAGMENT")
    lib.define("foo(Tensor x) -> Tensor")
    seen = []
    lib.impl("foo", lambda x: (seen.append("autograd"), x)[1], "Autograd")
    lib.impl("foo", lambda x: (seen.append("backend"), x)[1], "CPU")
    lib.impl("foo", lambda x: (seen.append("meta"), x)[1], "Meta")
    lib.impl("foo", runtime.fallthrough_kernel, "AutogradCPU")
    op = getattr(runtime.ops, NS).foo
    op(runtime.ones(1))
    op(runtime.ones(1, device="meta"))
    assert seen == ["backend", "autograd"]
    _core._dispatch_check_invariants(FOO)
    lib._destroy()


def test_the_ambiguous_kernel_raises_when_it_is_called():
    blocks = register([("FPGA", "a"), ("CompositeImplicitAutograd", "b")])
    op = getattr(runtime.ops, NS).foo.default
    with pytest.raises(RuntimeError, match="backend mapped to AutogradOther"):
        op.redispatch(DispatchKeySet(DispatchKey.AutogradOther), runtime.ones(1))
    del op
    for b in blocks:
        b.reset()


def test_a_missing_kernel_says_what_there_is_and_what_to_do():
    blocks = register([("CUDA", "cuda kernel")])
    op = getattr(runtime.ops, NS).foo
    with pytest.raises(NotImplementedError) as error:
        op(runtime.ones(1))
    text = str(error.value)
    assert text.startswith(f"Could not run '{FOO}' with arguments from the 'CPU' backend")
    assert "Registered kernels: CUDA" in text and "CUDA: cuda kernel [kernel]" in text and '"CPU"' in text
    with pytest.raises(NotImplementedError, match="attempted to run this operator with Meta tensors"):
        op(runtime.ones(1, device="meta"))
    for b in blocks:
        b.reset()


def test_implementations_may_come_before_the_definition():
    (early,) = register([("CPU", "early")], define=False)
    assert any(FOO in text for text in _core._dispatch_find_dangling_impls())
    with pytest.raises(AttributeError):
        _ = getattr(runtime.ops, NS).foo
    with pytest.raises(RuntimeError, match="did you forget to def"):
        _core._dispatch_find_schema_or_throw(FOO, "")
    late = block()
    late.def_("foo(Tensor x) -> Tensor")
    assert getattr(runtime.ops, NS).foo(runtime.ones(1)).tolist() == [1.0]
    early.reset()
    late.reset()


@pytest.mark.oracle
def test_dumps_of_random_registrations_equal_pytorchs():
    """All lines but those of PyTorch's further backend fallbacks, and AutogradOther, whose slot PyTorch leaves stale after a Sparse or
    Quantized kernel was registered."""
    torch = pytest.importorskip("torch")
    rng = random.Random(1)
    for trial in range(300):
        sequence = [(rng.choice(["def", "impl", "impl", "impl"]), rng.choice(KEYS), f"fn{i}") for i in range(rng.randint(1, 6))]
        order = list(range(len(sequence)))
        random.Random(trial).shuffle(order)
        results = []
        for core in (torch._C, _core):
            blocks, log = [], []
            for kind, key, name in sequence:
                blocks.append(block(core))
                try:
                    if kind == "def":
                        blocks[-1].def_("foo(Tensor x) -> Tensor")
                    else:
                        blocks[-1].impl_t_t("foo", dispatch=key, debug=name)
                    log.append("registered")
                except RuntimeError as e:
                    log.append(str(e).split(". ")[0][:80])
            dumps = [log]
            for half in (order[: len(order) // 2], order[len(order) // 2 :]):
                found = table(core)
                found.pop("AutogradOther", None)
                dumps += [core._dispatch_dump(FOO), found]
                for i in half:
                    blocks[i].reset()
            results.append(dumps)
        assert results[0] == results[1], sequence


def test_an_unknown_alias_analysis_kind_is_refused_and_defines_nothing():
    module = _core._dispatch_library("FRAGMENT", "alias_kinds", "")
    for define in (lambda: module.def_("f(Tensor x) -> Tensor", "NOPE"), lambda: module.def_schema_t_t("f(Tensor x) -> Tensor", "CPU", "NOPE")):
        with pytest.raises(RuntimeError, match="could not parse NOPE"):
            define()
    assert not _core._dispatch_has_kernel("alias_kinds::f")
    with pytest.raises(RuntimeError, match="could not parse BLA"):
        _core._dispatch_library("BLA", "alias_kinds", "")
