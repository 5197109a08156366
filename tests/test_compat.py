"""The compat door: resolving names, alias modules, pending names, and the states of all names that the specification mentions."""

import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from runtime import compat
from runtime.compat.__main__ import main, names_in
from runtime.compat.table import MODULES, NAMES, PENDING_CLASSES, PENDING_FUNCTIONS, PENDING_MODULES

SPEC = Path(__file__).resolve().parents[2] / "shared" / "spec" / "systems.md"


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_of_the_table_resolves(name):
    assert compat.resolve(name) is not None
    assert compat.state(name) == "works"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_of_the_table_lists_attributes_that_resolve(name):
    module = compat.resolve(name)
    for attribute in dir(module):
        if not attribute.startswith("_"):
            assert compat.state(f"{name}.{attribute}") in ("works", "pending")


def test_no_name_stands_twice_in_the_table():
    both = {"torch.autograd.gradcheck", "torch.multiprocessing.spawn"}  # modules with a function of their own name, which the package shows
    groups = [set(NAMES), set(MODULES) - both, PENDING_MODULES, PENDING_CLASSES, PENDING_FUNCTIONS]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_a_name_of_the_core_is_the_same_object():
    assert compat.resolve("torch._C.DispatchKeySet") is runtime.DispatchKeySet
    assert compat.resolve("torch.ops.aten.add.Tensor") is runtime.ops.aten.add.Tensor
    assert compat.resolve("torch.Tensor") is runtime.Tensor


@pytest.mark.parametrize("statement", ["import runtime; module = runtime.{}", "from runtime import {} as module"])
@pytest.mark.parametrize("name", ["compat", "cuda", "library", "testing"])
def test_our_own_modules_are_found_at_the_first_access(name, statement):
    done = run(f"{statement.format(name)}\nimport sys\nassert module is sys.modules['runtime.{name}'], module")
    assert done.returncode == 0, done.stderr


def test_attribute_access_reaches_pytorchs_paths_without_installing():
    assert runtime._C.DispatchKey.CPU is runtime.DispatchKey.CPU
    assert runtime.testing._internal.common_utils.TestCase.__module__ == "runtime.testing.common_utils"
    assert "torch" not in sys.modules or not isinstance(sys.modules["torch"], compat.names.AliasModule)


@pytest.mark.parametrize("name", sorted(PENDING_CLASSES | PENDING_FUNCTIONS))
def test_a_pending_name_raises_not_implemented_naming_itself_when_used(name):
    value = compat.resolve(name)
    with pytest.raises(NotImplementedError, match=name.rpartition(".")[2]):
        value()
    assert compat.state(name) == "pending"


@pytest.mark.parametrize(
    "use",
    [
        lambda v: v["key"],
        lambda v: v.attribute,
        lambda v: list(v),
        lambda v: len(v),
        lambda v: 1 in v,
        lambda v: v.__setitem__(1, 2),
        lambda v: v.method(),
    ],
)
@pytest.mark.parametrize("name", ["torch._decomp.decomposition_table", "torch.fx.experimental.symbolic_shapes.ShapeEnv"])
def test_a_pending_value_raises_however_it_is_used(name, use):
    with pytest.raises(NotImplementedError, match=name):
        use(compat.resolve(name))


def test_a_pending_value_is_neither_true_nor_a_context():
    value = compat.resolve("torch._functorch.config.view_replay_for_aliased_outputs")
    with pytest.raises(NotImplementedError, match="view_replay"):
        bool(value)
    with pytest.raises(NotImplementedError, match="view_replay"), value:
        pass


def test_a_pending_name_can_be_looked_at():
    for name in ("torch.compile", "torch.fx.experimental.symbolic_shapes.ShapeEnv"):
        value = compat.resolve(name)
        assert repr(value) == f"<pending {name}>" and value.__name__ == name.rpartition(".")[2]
        assert value == value and hash(value) == hash(value) and not hasattr(value, "__wrapped__")
    assert not isinstance(1, compat.resolve("torch._subclasses.fake_tensor.FakeTensorMode"))


def test_a_pending_class_can_be_a_base_class():
    base = compat.resolve("torch.fx.experimental.symbolic_shapes.ShapeEnv")

    class Loader(base):
        pass

    with pytest.raises(NotImplementedError, match="torch.fx.experimental.symbolic_shapes.ShapeEnv"):
        Loader()


def test_an_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="torch.no_such_name"):
        compat.resolve("torch.no_such_name")
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = runtime.no_such_name
    with pytest.raises(AttributeError, match="nothing"):
        _ = compat.resolve("torch._C").nothing


def test_install_makes_torch_importable_and_uninstall_takes_it_away():
    code = """
import runtime
from runtime import compat
compat.install()
import torch, torch._C
import torch.testing._internal.common_utils as cu
from torch.library import Library, _scoped_library
from torch._C import DispatchKey
from torch.fx.experimental.proxy_tensor import make_fx
assert torch.add is runtime.add and DispatchKey is runtime.DispatchKey and Library is runtime.Library
try:
    torch.nothing
except AttributeError:
    pass
else:
    raise SystemExit("unknown names must raise")
compat.install()
compat.uninstall()
import sys
assert not [n for n in sys.modules if n.split(".")[0] == "torch"]
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_our_own_modules_show_pending_names_too():
    assert runtime.library.triton_op is compat.resolve("torch.library.triton_op")
    assert runtime.testing.FileCheck is compat.resolve("torch.testing.FileCheck")
    assert runtime.cuda.jiterator._create_jit_fn is compat.resolve("torch.cuda.jiterator._create_jit_fn")
    with pytest.raises(AttributeError):
        _ = runtime.library.no_such_name


def test_what_our_modules_import_for_themselves_is_no_name_of_pytorchs():
    with pytest.raises(AttributeError):
        compat.resolve("torch.testing._internal.common_utils.np")
    assert compat.state("torch.compat") == "unknown"


def test_every_public_name_of_an_alias_module_can_be_imported_at_once():
    code = """
from runtime import compat
compat.install()
from torch.library import *
from torch.testing._internal.common_device_type import *
import runtime
assert Library is runtime.Library and onlyCPU
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_an_unknown_module_cannot_be_imported_though_pytorch_is_installed():
    code = """
from runtime import compat
compat.install()
try:
    import torch.hub
except ModuleNotFoundError as e:
    assert "torch.hub" in str(e)
else:
    raise SystemExit("must not be found")
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_install_applies_pytorchs_rule_for_arrays():
    code = """
import numpy, runtime
from runtime import compat
compat.install()
try:
    runtime.ops.aten.relu.default(numpy.ones(2))
except RuntimeError as e:
    assert "Unable to cast" in str(e)
else:
    raise SystemExit("arrays must be refused")
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.oracle
def test_install_refuses_to_shadow_an_imported_torch():
    pytest.importorskip("torch")
    done = run(
        "import torch\nfrom runtime import compat\ntry:\n    compat.install()\nexcept RuntimeError as e:\n    assert 'imported already' in str(e)\n"
        "else:\n    raise SystemExit('must refuse')"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "text, names",
    [
        ("`torch.utils.{a, b(x), _c}` and torch._C.d(e).", ["torch._C.d", "torch.utils._c", "torch.utils.a", "torch.utils.b"]),
        ("torchgen.m.{A(.x, .y), b.{c, d(e, f)}}", ["torchgen.m.A", "torchgen.m.b.c", "torchgen.m.b.d"]),
        ("torch.{a, b}.c", ["torch.a.c", "torch.b.c"]),
        (
            "`torch.t.i.one.{A, B}`; `…two.{C, D}`; `…three.E`",
            ["torch.t.i.one.A", "torch.t.i.one.B", "torch.t.i.three.E", "torch.t.i.two.C", "torch.t.i.two.D"],
        ),
        ("a sentence on torch. And pytorch.x, torch…", []),
    ],
)
def test_the_check_expands_groups_of_names(text, names):
    assert names_in(text) == names


def test_the_check_of_the_table_knows_every_name(capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.rstrip().endswith("0 unknown")


# Names in the specification that are no names of PyTorch's, or operators of a test's own library.
_NO_NAMES = {"torch._ops.aten.addmv.default", "torch.ops._test_python_registration._op", "torch.ops.aten.tanh_backward",
             "torch.ops.custom.sum.default", "torch.ops.my_lib.weird.default", "torch.ops.mylib.foo.default"}  # fmt: skip


def test_every_name_of_the_specification_works_or_is_pending():
    if not SPEC.exists():
        pytest.skip("the specification is not beside the project")
    names = set(names_in(SPEC.read_text())) - _NO_NAMES
    assert len(names) > 240
    unknown = sorted(n for n in names if compat.state(n) == "unknown")
    assert not unknown, unknown


def test_cloudpickle_takes_functions_that_use_torch():
    pytest.importorskip("cloudpickle")
    code = """
from runtime import compat
compat.install()
import cloudpickle, torch, torch.utils
def f(x):
    return torch.relu(x) + torch.nn.functional.relu(x)
assert cloudpickle.loads(cloudpickle.dumps(f))(torch.ones(1)).item() == 2
assert cloudpickle.loads(cloudpickle.dumps(torch.utils)) is torch.utils
"""
    subprocess.run([sys.executable, "-c", code], check=True)
