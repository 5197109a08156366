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
    # Modules with a function of their own name, which the package shows.
    both = {"torch.autograd.gradcheck", "torch.multiprocessing.spawn", "torch.nn.utils.spectral_norm", "torch.nn.utils.weight_norm"}
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
    import torch.cpp_builder
except ModuleNotFoundError as e:
    assert "torch.cpp_builder" in str(e)
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


def test_test_files_of_pytorch_find_what_they_import():
    code = """
from runtime import compat
compat.install()
import os
import torch
from torch._subclasses.fake_tensor import FakeTensorConverter
from torch._utils_internal import get_file_path_2
from torch.multiprocessing import ENV_VAR_PARALLEL_START, SpawnContext, _prctl_pr_set_pdeathsig
from torch.multiprocessing.reductions import init_reductions, rebuild_tensor, shared_cache
from torch.serialization import SourceChangeWarning, StorageType, _open_zipfile_writer, check_module_version_greater_or_equal
from torch.serialization import normalize_storage_type, storage_to_tensor_type
from torch.storage import _StorageBase
from torch.testing._internal.common_utils import AlwaysWarnTypedStorageRemoval, BytesIOContext, IS_FILESYSTEM_UTF8_ENCODING
from torch.testing._internal.common_utils import NO_MULTIPROCESSING_SPAWN, TEST_DILL, download_file, skipIfNoDill
from torch.utils._import_utils import import_dill
from torch.utils.data._utils import MP_STATUS_CHECK_INTERVAL, pin_memory, signal_handling
from torch.utils.data._utils.collate import default_collate_err_msg_format
from torch.utils.data._utils.worker import _worker_loop
from torch.utils.data.datapipes.iter import IterableWrapper
from torch.utils.data.datapipes.map import SequenceWrapper
import torch._weights_only_unpickler

assert os.path.isfile(torch.__file__) and "redispatch" in torch.__config__.show() and "hreads" in torch.__config__.parallel_info()
assert isinstance(torch.ones(1).untyped_storage(), _StorageBase) and len(torch.Storage(2)) == 2
for use in (FakeTensorConverter, _worker_loop, signal_handling._set_SIGCHLD_handler):
    try:
        use()
    except NotImplementedError:
        continue
    raise AssertionError(use)
with BytesIOContext() as file:
    with _open_zipfile_writer(file) as archive:
        archive.write_record("note", "text", 4)
assert b"text" in file.getvalue()
assert check_module_version_greater_or_equal(torch, (0, 0)) and not check_module_version_greater_or_equal(torch, (99, 0))
storage = torch.ones(2, dtype=torch.int16)._typed_storage()
assert rebuild_tensor(torch.nn.Parameter, torch.ones(2)._typed_storage(), (0, (2,), (1,), True)).requires_grad
assert str(StorageType("FloatStorage")) == "StorageType(dtype=torch.float32)" and storage_to_tensor_type(storage) is torch.ShortTensor
assert list(torch.utils.data.DataLoader(IterableWrapper(range(3)), batch_size=None)) == [0, 1, 2] and SequenceWrapper([4])[0] == 4
print("found")
"""
    done = run(code)
    assert done.stdout == "found\n", done.stderr


def test_star_imports_take_what_the_modules_export():
    code = """
from runtime import compat
compat.install()
before = set(globals())
from torch.storage import *
from torch._utils import *
from torch.utils.data import *
from torch.multiprocessing import *
from torch.serialization import *
taken = set(globals()) - before
assert {"TypedStorage", "DataLoader", "_DatasetKind", "Queue", "safe_globals"} <= taken
assert not {"Tensor", "FloatStorage", "os", "pickle", "ArchiveWriter", "spawn"} & taken, taken
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


FIRST_LINES = """
from runtime import compat
compat.install()
import torch
import torch.backends.cudnn as cudnn
import torch.nn as nn
from torch.nn.attention import sdpa_kernel, SDPBackend
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.pooling import _MaxPoolNd
from torch.nn.modules.utils import _ntuple, _pair, _single, _triple
from torch.nn.parallel._functions import Broadcast
from torch.nn.parameter import Parameter, UninitializedParameter
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights
from torch.nn.utils.weight_norm import WeightNorm
from torch.optim import Adafactor, Adam, Optimizer
from torch.optim.lr_scheduler import _LRScheduler
from torch.testing._internal.common_cuda import TEST_CUDA, tf32_off, tf32_on, tf32_on_and_off
from torch.testing._internal.common_device_type import TEST_WITH_ROCM, instantiate_device_type_tests, skipCUDAIfNotRocm
from torch.testing._internal.common_modules import ModuleErrorEnum, TrainEvalMode, module_db, modules
from torch.testing._internal.common_nn import (
    CriterionTest, NewModuleTest, NNTestCase, _create_basic_net, criterion_tests, get_new_module_tests, loss_reference_fns, module_tests,
)
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, TensorTracker, optim_db, optims
from torch.testing._internal.common_utils import (
    MI300_ARCH, TestCase, _assertGradAndGradgradChecks, download_file, get_tensors_from, mock_wrapper, run_tests,
)
from torch.utils.checkpoint import _infer_device_type
"""


def test_the_first_lines_of_programs_and_of_pytorchs_tests_run():
    code = """
class TestLayers(NNTestCase):
    @skipCUDAIfNotRocm
    @modules(module_db, train_eval_mode=TrainEvalMode.train_only)
    def test_layer(self, device, dtype, module_info, training):
        raise AssertionError

    def test_jacobian(self):
        _assertGradAndGradgradChecks(self, torch.sin, (torch.ones(2, dtype=torch.double, requires_grad=True),))
        self.check_jacobian(nn.Linear(2, 1).double(), torch.ones(2, 2, dtype=torch.double))

assert not torch.jit.is_scripting() and torch.jit.ignore(len) is len and torch.jit.ignore(drop=True)(len) is len
assert not torch.distributed.is_available() and not torch.distributed.is_initialized()
assert _infer_device_type(torch.ones(1)) == "cpu" and _infer_device_type({"a": [torch.ones(1, device="meta")]}) == "meta"
class Counted:
    @mock_wrapper
    def call(self, x):
        return get_tensors_from((x, 1), {})

one = torch.ones(1)
assert Counted().call(one) == {one} and Counted.call.mock.call_count == 1
cudnn.benchmark = True
with cudnn.flags(enabled=False):
    assert not torch.backends.cudnn.enabled and not cudnn.benchmark
assert torch.backends.cudnn.enabled and torch.backends.cudnn.benchmark
weight = nn.Linear(1, 1)
before = weight.weight
torch.__future__.set_overwrite_module_params_on_conversion(True)
assert weight.double().weight is not before
torch.__future__.set_overwrite_module_params_on_conversion(False)
instantiate_device_type_tests(TestLayers, globals())
run_tests()
"""
    done = run(FIRST_LINES + code)
    assert done.returncode == 0 and "Ran 1 test" in done.stderr, done.stderr


def test_layers_of_other_dimensions_derive_from_the_base_of_convolutions():
    base = compat.resolve("torch.nn.modules.conv._ConvNd")

    class Conv(base):
        def forward(self, x):
            return runtime.nn.functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    conv = Conv(2, 3, (3, 3), (1, 1), (1, 1), (1, 1), False, (0, 0), 1, True, "zeros")
    assert conv(runtime.ones(1, 2, 4, 4)).shape == (1, 3, 4, 4) and "kernel_size=(3, 3)" in repr(conv)
    assert isinstance(runtime.nn.Conv1d(1, 1, 1), base) and isinstance(runtime.nn.ConvTranspose2d(1, 1, 1), base)


def test_the_precision_of_products_is_kept_and_checked():
    get, set_to = (compat.resolve(f"torch.{verb}_float32_matmul_precision") for verb in ("get", "set"))
    set_to("high")
    assert get() == "high"
    with pytest.warns(UserWarning, match="not one of"):
        set_to("low")
    with pytest.raises(RuntimeError, match="expects a str"):
        set_to(1)
    assert get() == "high"
    set_to("highest")


def test_the_choice_of_attentions_kernel_lasts_for_a_block():
    attention = compat.resolve("torch.nn.attention")
    chosen = attention._cur_sdpa_kernel_backends
    before = chosen()
    with attention.sdpa_kernel(attention.SDPBackend.MATH):
        assert chosen() == [attention.SDPBackend.MATH]
    assert chosen() == before
    with pytest.raises(AssertionError, match="SDPBackend"), attention.sdpa_kernel("math"):
        pass


def test_swapped_tensors_have_each_others_values_and_gradients():
    a, b = runtime.ones(2, requires_grad=True), runtime.zeros(3)
    a.grad = runtime.full((2,), 5.0)
    a.note = "a"
    runtime.utils.swap_tensors(a, b)
    assert a.tolist() == [0, 0, 0] and not a.requires_grad and a.grad is None and not hasattr(a, "note")
    assert b.tolist() == [1, 1] and b.requires_grad and b.grad.tolist() == [5, 5] and b.note == "a"
    with pytest.raises(NotImplementedError, match="leaf"):
        runtime.utils.swap_tensors(b * 2, a)


@pytest.mark.parametrize(
    "move",
    [
        lambda: runtime.ones(1).cuda(),
        lambda: runtime.ones(1).cuda(0),
        lambda: runtime.nn.Linear(1, 1).cuda(),
        lambda: runtime.cuda.synchronize(),
        lambda: runtime.cuda.current_device(),
        lambda: runtime.cuda.stream(1),
    ],
)
def test_what_needs_a_gpu_raises_pytorchs_error(move):
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        move()


def test_questions_about_gpus_have_answers_without_one():
    cuda = compat.resolve("torch.cuda")
    assert cuda.empty_cache() is cuda.manual_seed_all(1) is None
    assert cuda.max_memory_allocated() == cuda.memory_allocated() == 0 and not cuda.is_initialized() and cuda.get_rng_state_all() == []
    with cuda.stream(None):
        pass
    for kind in cuda.Stream, cuda.Event:
        with pytest.raises(RuntimeError):
            kind()
    x = runtime.ones(1)
    assert not (x.is_mps or x.is_xpu or x.is_mtia or x.is_ipu or x.is_maia or x.is_xla)
    with pytest.raises(RuntimeError, match="must be cuda device"):
        x.cuda("cpu")


def test_settings_of_autograds_views_and_threads_are_kept():
    core, modes = compat.resolve("torch._C"), compat.resolve("torch.autograd.grad_mode")
    assert not core._is_view_replay_enabled()
    with modes._force_original_view_tracking(True):
        assert core._is_view_replay_enabled() and compat.resolve("torch.autograd.is_view_replay_enabled")()
    assert not core._is_view_replay_enabled()
    core._set_multithreading_enabled(False)
    assert not core._is_multithreading_enabled()
    core._set_multithreading_enabled(True)
    region = modes._enter_inference_mode(True)
    assert runtime.is_inference_mode_enabled()
    modes._exit_inference_mode(region)
    assert not runtime.is_inference_mode_enabled()


def test_nodes_of_pytorchs_classes_are_instances_of_the_listed_ones():
    nodes = compat.resolve("torch._C._functions")
    base = runtime.ones(2, requires_grad=True) * 2
    base[:1].mul_(3)
    assert type(base.grad_fn) is nodes.CopySlices
    failing = nodes.DelayedError("no", 1)(runtime.ones(1, requires_grad=True) * 1)
    assert type(failing.grad_fn) is nodes.Error


def test_marks_of_cached_tensors_count_when_they_are_on():
    core = compat.resolve("torch._C")
    a, b = runtime.ones(2), runtime.ones(2)
    core._add_cached_tensor(a)
    assert not core._is_cached_tensor(a)
    core._set_cached_tensors_enabled(True)
    assert core._is_cached_tensor(a) and not core._is_cached_tensor(b)
    core._remove_cached_tensor(a)
    assert not core._is_cached_tensor(a)
    core._set_cached_tensors_enabled(False)


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


def test_the_root_is_reached_through_autograd():
    assert compat.resolve("torch.autograd.torch") is compat.resolve("torch.autograd").torch
    assert compat.resolve("torch.autograd.torch").autograd is compat.resolve("torch.autograd")
