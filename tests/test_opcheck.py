"""`opcheck`: what it finds in operators whose schemas say something else than they do. `lib` is this package or PyTorch."""

import importlib
import itertools

import pytest

import runtime
from runtime.testing.custom_op_db import custom_op_db

NS = "opcheck_tests"
_numbers = itertools.count()


@pytest.fixture(params=["runtime", pytest.param("torch", marks=pytest.mark.oracle)])
def lib(request):
    """A library with custom operators, this package or PyTorch."""
    return pytest.importorskip(request.param)


@pytest.fixture
def check(lib):
    """Defines an operator with a CPU kernel and gives what its test_schema says: "SUCCESS" or the error's text."""
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:

        def run(schema, kernel, *args, key="CPU", **kwargs):
            # PyTorch remembers schemas by name.
            name = f"op{next(_numbers)}"
            owner.define(f"{name}{schema}")
            owner.impl(name, kernel, key)
            verdict = lib.library.opcheck(getattr(getattr(lib.ops, NS), name).default, args, kwargs, test_utils="test_schema", raise_exception=False)
            assert list(verdict) == ["test_schema"]
            return str(verdict["test_schema"])

        yield run


def test_an_operator_that_does_what_its_schema_says_passes(lib, check):
    schema = "(Tensor x, Tensor? y, Tensor[] zs, int n=3) -> (Tensor, int)"
    assert check(schema, lambda x, y, zs: (x + 1, 2), lib.ones(2), None, [lib.ones(1)]) == "SUCCESS"


def test_declared_writes_and_views_pass(lib, check):
    assert check("(Tensor(a!) x, Tensor(b) y) -> (Tensor(a!), Tensor(b))", lambda x, y: (x.mul_(2), y[:1]), lib.ones(2), lib.ones(2)) == "SUCCESS"


def test_a_write_that_does_not_happen_passes(lib, check):
    assert check("(Tensor(a!) x) -> ()", lambda x: None, lib.ones(2)) == "SUCCESS"


def test_an_undeclared_write_is_found(lib, check):
    def kernel(x, y):
        y.mul_(2)
        return x.clone()

    assert check("(Tensor x, Tensor y) -> Tensor", kernel, lib.ones(2), lib.ones(2)) == "Argument y is not defined as mutable but was mutated"


def test_an_undeclared_write_of_a_keyword_argument_is_found(lib, check):
    def kernel(x, *, y):
        y.zero_()

    assert check("(Tensor x, *, Tensor y) -> ()", kernel, lib.ones(2), y=lib.ones(2)) == "Argument y is not defined as mutable but was mutated"


@pytest.mark.parametrize("change", ["resize_", "t_"])
def test_a_change_of_geometry_is_a_write(lib, check, change):
    def kernel(x):
        x.resize_(6) if change == "resize_" else x.t_()

    assert check("(Tensor x) -> ()", kernel, lib.ones(2, 3)) == "Argument x is not defined as mutable but was mutated"


@pytest.mark.parametrize("kernel", [lambda x: x, lambda x: x[1:]])
def test_a_result_on_an_arguments_memory_is_found(lib, check, kernel):
    assert check("(Tensor x) -> Tensor", kernel, lib.ones(2)) == "Argument x is not defined to alias output but was aliasing"


def test_the_argument_self_is_called_input(lib, check):
    assert check("(Tensor self) -> Tensor", lambda x: x[1:], lib.ones(2)) == "Argument input is not defined to alias output but was aliasing"


def test_an_argument_that_is_returned_as_a_view_is_found(lib, check):
    message = "Dispatcher operators below autograd are not allowed to directly return inputs.\nHowever, we found that `outputs[0] is x"
    assert check("(Tensor(a) x) -> Tensor(a)", lambda x: x, lib.ones(2)) == message


def test_results_that_share_memory_are_found(lib, check):
    def kernel(x):
        y = x.clone()
        return y, y[:1]

    assert check("(Tensor x) -> (Tensor, Tensor)", kernel, lib.ones(2)) == "Outputs 0 and 1 alias unexpectedly"


def test_any_memory_may_be_shared_where_a_wildcard_says_so(lib, check):
    assert check("(Tensor(*) x) -> Tensor(*)", lambda x: x[1:], lib.ones(2)) == "SUCCESS"


def test_a_failing_operator_fails(lib, check):
    def kernel(x):
        raise ValueError("no luck")

    assert "no luck" in check("(Tensor x) -> Tensor", kernel, lib.ones(2))


def test_a_composite_operator_may_return_its_argument(lib, check):
    assert check("(Tensor x) -> Tensor", lambda x: x, lib.ones(2), key="CompositeImplicitAutograd") == "SUCCESS"


def test_tensors_without_data_are_not_looked_at(lib, check):
    assert check("(Tensor x) -> Tensor", lambda x: x, lib.ones(2, device="meta"), key="Meta") == "SUCCESS"


def test_the_arguments_stay_as_they_are(lib, check):
    x = lib.ones(2, 3).t()
    seen = []
    check("(Tensor(a!) x, Tensor[] ys) -> ()", lambda x, ys: (seen.append(x.stride()), x.zero_(), ys[0].zero_()) and None, x, [x])
    assert x.sum().item() == 6 and seen == [(1, 3)]


def test_lists_are_looked_into():
    with runtime.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("views(Tensor[] xs) -> Tensor[]")
        owner.impl("views", lambda xs: [x[:] for x in xs], "CPU")
        owner.define("writes(Tensor[] xs) -> ()")
        owner.impl("writes", lambda xs: xs[1].mul_(2) and None if len(xs) > 1 else None, "CPU")
        owner.define("declared(Tensor(a)[] xs) -> Tensor(a)[]")
        owner.impl("declared", lambda xs: [x[:] for x in xs], "CPU")
        xs = [runtime.ones(1), runtime.ones(1)]
        packet = getattr(runtime.ops, NS)
        for op, text in ((packet.views, "Argument xs is not defined to alias output but was aliasing"),
                         (packet.writes, "Argument xs is not defined as mutable but was mutated"), (packet.declared, "SUCCESS")):  # fmt: skip
            verdict = runtime.library.opcheck(op, (xs,), test_utils="test_schema", raise_exception=False)
            assert str(verdict["test_schema"]) == text


def test_the_smallest_write_is_found():
    with runtime.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("sign(Tensor x) -> ()")
        owner.impl("sign", lambda x: x.neg_() and None if x.item() else x.neg_().abs_() and None, "CPU")
        owner.define("tiny(Tensor x) -> ()")
        owner.impl("tiny", lambda x: x.mul_(1 + 1e-7).sum() and None, "CPU")
        for name, value in (("sign", 1.0), ("tiny", 3.0)):
            with pytest.raises(runtime.opcheck.OpCheckError, match="test_schema failed with Argument x is not defined as mutable but was mutated"):
                runtime.library.opcheck(getattr(getattr(runtime.ops, NS), name), (runtime.tensor(value),), test_utils=["test_schema"])


def test_failures_are_raised_or_returned(lib):
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("bad(Tensor x) -> Tensor")
        owner.impl("bad", lambda x: x, "CPU")
        bad = getattr(lib.ops, NS).bad
        message = r"opcheck\(op, ...\): test_schema failed with Argument x is not defined .* \(scroll up for stack trace\)"
        with pytest.raises(Exception, match=message):
            lib.library.opcheck(bad, (lib.ones(1),))
        assert isinstance(lib.library.opcheck(bad, (lib.ones(1),), raise_exception=False)["test_schema"], RuntimeError)


def test_tests_of_systems_to_come_are_skipped():
    op = runtime.ops.aten.sin.default
    assert runtime.library.opcheck(op, (runtime.ones(1),)) == {
        "test_schema": "SUCCESS", "test_autograd_registration": "SUCCESS", "test_faketensor": "SKIPPED", "test_aot_dispatch_dynamic": "SKIPPED",
    }  # fmt: skip
    assert len(runtime.library.opcheck(op, (runtime.ones(1),), test_utils="ALL")) == 5


@pytest.mark.parametrize(
    "args, options, message",
    [
        ((3, ()), {}, r"opcheck\(op, ...\): op must be instance of torch._ops.OpOverload, e.g. torch.ops.aten.sin.default, got <class 'int'>"),
        (("sin", ()), {"test_utils": "bla"}, r"opcheck\(op, ..., test_utils=\('bla',\)\), expected test_utils to be subset of \('test_schema', "),
        (("sin", ()), {"test_utils": 3}, r"expected test_utils to be subset of"),
        (("sin", ()), {"atol": 1}, "if you specify one of rtol/atol, you must specify both"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(lib, args, options, message):
    op, rest = args
    with pytest.raises(ValueError, match=message):
        lib.library.opcheck(lib.ops.aten.sin.default if op == "sin" else op, rest, **options)


def test_a_packet_must_have_one_overload(lib):
    message = r"opcheck can only test operators without overloads. Got the following overloads for aten::add: \['Tensor', "
    with pytest.raises(RuntimeError, match=message):
        lib.library.opcheck(lib.ops.aten.add, ())


@pytest.mark.parametrize("info", custom_op_db, ids=lambda info: info.formatted_name)
def test_the_sample_operators_pass_for_all_their_dtypes(info):
    for dtype in info.supported_dtypes("cpu"):
        for sample in info.sample_inputs("cpu", dtype):
            runtime.library.opcheck(info.op, (sample.input, *sample.args), sample.kwargs)


_DEPENDS_ON_DATA = ("NumpyNonzeroCustomOp", "NumpyNMSCustomOp")


@pytest.mark.parametrize("info", [i for i in custom_op_db if i.name not in _DEPENDS_ON_DATA], ids=lambda info: info.formatted_name)
def test_the_sample_operators_rules_for_meta_tensors_give_the_results_geometry(info):
    def meta(value):
        return value.to("meta") if isinstance(value, runtime.Tensor) else [meta(v) for v in value] if isinstance(value, list) else value

    def geometry(value):
        if isinstance(value, runtime.Tensor):
            return value.shape, value.dtype, value.stride()
        return [geometry(v) for v in value] if isinstance(value, (list, tuple)) else value

    for sample in info.sample_inputs("cpu", runtime.float32):
        args = (sample.input, *sample.args)
        assert geometry(info(*map(meta, args), **sample.kwargs)) == geometry(info(*args, **sample.kwargs))


@pytest.mark.oracle
@pytest.mark.parametrize("info", custom_op_db, ids=lambda info: info.formatted_name)
def test_the_sample_operators_compute_what_pytorchs_do(info):
    pytest.importorskip("torch")
    db = importlib.import_module("torch.testing._internal.custom_op_db").custom_op_db
    (theirs,) = [i for i in db if i.name == info.name]
    torch = importlib.import_module("torch")

    def convert(value):
        if isinstance(value, runtime.Tensor):
            return torch.from_numpy(value.numpy())
        return [convert(v) for v in value] if isinstance(value, list) else value

    def plain(value):
        return value.tolist() if hasattr(value, "tolist") else [plain(v) for v in value] if isinstance(value, (list, tuple)) else value

    for sample in info.sample_inputs("cpu", runtime.float32):
        args = (sample.input, *sample.args)
        assert plain(info(*args, **sample.kwargs)) == plain(theirs.op(*map(convert, args), **sample.kwargs))
