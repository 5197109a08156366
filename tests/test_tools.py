"""The modes of `runtime.tools`: DebugMode and FlopCounterMode as in PyTorch, MemoryTracker and NanDetector by their own rules."""

import gc
import importlib
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

import runtime
from runtime import compat
from runtime.tools import DebugMode, FlopCounterMode, MemoryTracker, NanDetector, NanError, register_flop_formula
from runtime.tools.debug_mode import get_active_debug_mode
from runtime.tools.flop_counter import convert_num_with_suffix, flop_registry, get_suffix_str
from runtime.tools.naming import TensorNumbers, dtype_abbrs


def names_of(load):
    return SimpleNamespace(
        torch=load("torch"), DebugMode=load("torch.utils._debug_mode").DebugMode, FlopCounterMode=load("torch.utils.flop_counter").FlopCounterMode
    )


def calls(m):
    x = m.torch.arange(6.0).view(2, 3)
    y = m.torch.nn.functional.linear(x, m.torch.ones(4, 3), m.torch.zeros(4))
    z = m.torch.cat([y, y]).sum(0, keepdim=True)
    z.add_(1, alpha=2)
    return m.torch.max(z, 1)


# ------------------------------------------------------------------------------------------------------------- DebugMode

OPTIONS = [
    {},
    {"record_ids": True},
    {"record_output": False},
    {"record_tensor_attributes": ["requires_grad"]},
    {"record_torchfunction": True},
    {"record_realtensor": False},
    {"store_original_args": True},
]


HASHES = [{"hash_inputs": True}, {"hash_fn": "hash_tensor"}, {"hash_fn": ["norm", "hash_tensor"]}, {"hash_fn": str}]


def operator_lines(text):
    """The lines of operators; public functions go by other names here and there."""
    return [line for line in text.splitlines() if re.match(r" *aten::", line)]


@pytest.mark.oracle
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_log_is_pytorchs(options):
    pytest.importorskip("torch")

    def log(m):
        with m.DebugMode(**options) as mode:
            calls(m)
        return operator_lines(mode.debug_string()), [call.call_depth for call in mode.logs]

    assert log(names_of(compat.resolve)) == log(names_of(importlib.import_module))


@pytest.mark.oracle
@pytest.mark.parametrize("options", HASHES, ids=str)
def test_hashes_are_pytorchs(options):
    pytest.importorskip("torch")

    def log(m):
        with m.DebugMode() as mode, m.DebugMode.log_tensor_hashes(**options):
            calls(m)
            (m.torch.ones(2, dtype=m.torch.complex64) * 2j, m.torch.arange(5) * 3)
        return operator_lines(mode.debug_string())

    assert log(names_of(compat.resolve)) == log(names_of(importlib.import_module))


@pytest.mark.oracle
def test_different_hashes_are_found_as_in_pytorch():
    pytest.importorskip("torch")

    def mismatches(m):
        logs = []
        for value in (1.0, 1.5):
            with m.DebugMode() as mode, m.DebugMode.log_tensor_hashes(hash_inputs=True):
                (m.torch.full((2,), value) * 2).exp()
            logs.append(mode.logs)
        return m.DebugMode.check_hash_mismatches(*logs, compare_inputs=True)

    ours, theirs = mismatches(names_of(compat.resolve)), mismatches(names_of(importlib.import_module))
    assert len(ours) == len(theirs) == 5
    for a, b in zip(ours, theirs, strict=True):
        assert {k: v if isinstance(v, str | bool | None) else pytest.approx(v, rel=1e-6) for k, v in b.items()} == a


def test_operators_stand_below_the_function_that_calls_them():
    with DebugMode(record_torchfunction=True) as mode:
        runtime.nn.functional.linear(runtime.ones(2), runtime.ones(3, 2))
    depths = [(type(call.op).__name__ == "OpOverload", call.call_depth) for call in mode.logs]
    assert depths[:4] == [(False, 0), (True, 2), (False, 0), (True, 2)]
    assert depths[4] == (False, 0) and all(depth == (True, 2) for depth in depths[5:])


def test_the_users_lines_stand_above_their_calls():
    with DebugMode(record_stack_trace=True) as mode:
        x = runtime.ones(2)  # the first line
        x + x + x
    text = mode.debug_string().splitlines()
    assert text[0].strip().startswith(f"# File: {__file__}") and "the first line" in text[0]
    assert "code: x + x + x" in text[3] and [line.strip()[:9] for line in text[4:]] == ["aten::add", "aten::add"]
    assert "# File" not in mode.debug_string(show_stack_trace=False)
    assert "in test_the_users_lines" in mode.logs[0].stack_trace


def test_times_stand_behind_the_calls():
    with DebugMode(record_times=True) as mode:
        runtime.ones(2)
    assert re.search(r"\[\d+\.\d us\]$", mode.debug_string()) and mode.logs[0].seconds > 0


def test_annotations_stand_between_the_calls():
    DebugMode._annotate("nobody listens")
    with DebugMode() as mode:
        runtime.ones(2)
        assert get_active_debug_mode() is mode
        DebugMode._annotate("half-time")
    assert get_active_debug_mode() is None
    assert mode.debug_string().splitlines()[1] == "  [annotate] half-time"


def test_hooks_record_what_they_return():
    with DebugMode() as mode, DebugMode.record_outputs():
        x = runtime.ones(2)
        x.add_(1)
    assert [call.record["output"].tolist() for call in mode.logs] == [[1, 1], [2, 2]]
    with DebugMode(), DebugMode.dispatch_hooks(log_hook=lambda *_: 3), pytest.raises(AssertionError, match="None or dict"):
        runtime.ones(2)


def test_only_store_original_args_keeps_tensors_alive():
    for keep in (False, True):
        mode = DebugMode(store_original_args=keep)
        with mode:
            x = runtime.ones(2)
            x + 1
        op, args, _, depth = tuple(mode.logs[1])
        assert op is runtime.ops.aten.add.Tensor and depth == 1
        assert (args[0] is x) if keep else args == "t: f32[2], 1"


def test_runs_of_different_programs_cannot_be_compared():
    logs = []
    for function in (runtime.exp, runtime.sin):
        with DebugMode() as mode:
            function(runtime.ones(2))
        logs.append(mode.logs)
    with pytest.raises(ValueError, match="Operators don't match at index 1"):
        DebugMode.check_hash_mismatches(*logs)
    with pytest.raises(ValueError, match="Log lengths"):
        DebugMode.check_hash_mismatches(logs[0], [])


def test_a_mode_that_sees_an_error_is_left_as_it_was():
    mode = DebugMode(record_torchfunction=True)
    with pytest.raises(RuntimeError), mode:
        runtime.ones(2) @ runtime.ones(3)
    assert mode.call_depth == 0 and get_active_debug_mode() is None
    before = len(mode.logs)
    runtime.ones(2)
    assert len(mode.logs) == before


@pytest.mark.oracle
def test_short_names_of_dtypes_are_pytorchs():
    theirs = pytest.importorskip("torch.utils._dtype_abbrs").dtype_abbrs
    named = {str(dtype): short for dtype, short in theirs.items()}
    assert {str(dtype): short for dtype, short in dtype_abbrs.items()} == {name: named[name] for name in map(str, dtype_abbrs)}


def test_a_tensor_keeps_its_number_and_nobody_inherits_it():
    numbers, x = TensorNumbers(), runtime.ones(2)
    assert numbers[x] == numbers[x] == 0
    for expected in (1, 2, 3):
        assert numbers[runtime.ones(2)] == expected
    assert numbers[x] == 0


# --------------------------------------------------------------------------------------------------------- FlopCounterMode


def products(m):
    t, F = m.torch, m.torch.nn.functional
    a = t.ones(2, 3, 4)
    yield lambda: a @ t.ones(4, 5)
    yield lambda: t.bmm(a, a.mT)
    yield lambda: t.addmm(t.ones(3), t.ones(2, 4), t.ones(4, 3))
    yield lambda: t.baddbmm(t.ones(2, 3, 3), a, a.mT)
    yield lambda: F.linear(a, t.ones(7, 4), t.ones(7))
    yield lambda: t.einsum("bij,bkj->bik", a, a)
    yield lambda: F.conv2d(t.ones(2, 4, 8, 8), t.ones(6, 2, 3, 3), groups=2, padding=1, stride=2)
    yield lambda: F.conv_transpose1d(t.ones(1, 2, 5), t.ones(2, 3, 3), stride=2)
    yield lambda: F.conv3d(t.ones(1, 2, 4, 4, 4), t.ones(3, 2, 2, 2, 2))
    yield lambda: F.scaled_dot_product_attention(*[t.ones(2, 4, 5, 8)] * 3)
    yield lambda: t.ops.aten.convolution_backward(
        t.ones(2, 6, 6, 6), t.ones(2, 3, 8, 8), t.ones(6, 3, 3, 3), [6], [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, True]
    )
    yield lambda: t.linalg.multi_dot([t.ones(2, 3), t.ones(3, 4), t.ones(4, 5)])
    yield lambda: t.mv(t.ones(3, 4), t.ones(4)) + t.dot(t.ones(3), t.ones(3))


@pytest.mark.oracle
def test_counts_are_pytorchs():
    pytest.importorskip("torch")

    def counts(m):
        found = []
        for product in products(m):
            with m.FlopCounterMode(display=False) as counter:
                try:
                    product()
                except (NotImplementedError, AttributeError) as error:  # an operator that is not built yet counts nothing
                    found.append(type(error))
                    continue
            found.append((counter.get_total_flops(), {str(op): n for op, n in counter.get_flop_counts().get("Global", {}).items()}))
        return found

    ours, theirs = counts(names_of(compat.resolve)), counts(names_of(importlib.import_module))
    missing = [i for i, found in enumerate(ours) if isinstance(found, type)]
    assert missing in ([], [10])  # convolution_backward comes with autograd
    assert [c for i, c in enumerate(ours) if i not in missing] == [c for i, c in enumerate(theirs) if i not in missing]


def test_the_table_has_a_row_for_each_operator(capsys):
    with FlopCounterMode():
        runtime.ones(64, 64) @ runtime.ones(64, 64)
    assert capsys.readouterr().out.splitlines() == [
        "Module          FLOP  % Total",
        "----------  --------  -------",
        "Global      524.288K  100.00%",
        " - aten.mm  524.288K  100.00%",
    ]
    with FlopCounterMode(display=False) as counter:
        runtime.ones(3).exp()
    assert counter.get_table().splitlines()[-1].split() == ["Global", "0.000", "0%"]


def test_numbers_are_written_in_powers_of_a_thousand():
    for number, text in [(12, "12.000"), (9999, "9999.000"), (10**5, "100.000K"), (3 * 10**9, "3000.000M"), (10**15, "1000.000T")]:
        assert convert_num_with_suffix(number, get_suffix_str(number)) == text


def test_formulas_can_be_added():
    packet = runtime.ops.aten.hypot

    @register_flop_formula(packet)
    def distances(a, b, *args, out_shape=None):
        return 3 * out_shape.numel()

    try:
        with FlopCounterMode(display=False) as counter:
            runtime.hypot(runtime.ones(2, 1), runtime.ones(4))
        assert counter.get_flop_counts() == {"Global": {packet: 24}}
        with pytest.raises(RuntimeError, match="duplicate registrations"):
            register_flop_formula(packet)(distances)
    finally:
        del flop_registry[packet]
    with pytest.raises(ValueError, match="expected each target"):
        register_flop_formula("hypot")(distances)
    with FlopCounterMode(display=False, custom_mapping={runtime.ops.aten.exp: lambda x, out_shape=None: x.numel()}) as counter:
        runtime.ones(5).exp()
    assert counter.get_total_flops() == 5


def test_a_counter_counts_anew_in_each_block_and_is_entered_once():
    counter = FlopCounterMode(display=False)
    for _ in range(2):
        with counter:
            runtime.ones(2, 2) @ runtime.ones(2, 2)
        assert counter.get_total_flops() == 16
    with counter, pytest.raises(RuntimeError, match="entered already"):
        counter.__enter__()
    with pytest.warns(UserWarning, match="mods argument is not needed"):
        FlopCounterMode(mods=object())


# ------------------------------------------------------------------------------------------------------------ MemoryTracker


def test_memory_counts_until_the_last_tensor_on_it_is_gone():
    with MemoryTracker() as tracker:
        x = runtime.ones(256)
        view = x.view(16, 16)
        assert tracker.current == 1024
        del x
        assert tracker.current == 1024
        del view
        gc.collect()
        assert tracker.current == 0
        y = runtime.ones(512)
    assert (tracker.peak, tracker.allocated, tracker.current) == (2048, 3072, 2048)
    del y
    assert tracker.current == 0
    assert dict(tracker.by_operator) == {"aten::ones": 3072}


def test_results_on_the_memory_of_arguments_are_not_allocations():
    x = runtime.ones(256)
    with MemoryTracker() as tracker:
        x.add_(1).t()
        x[3:].detach()
    assert tracker.allocated == 0 and tracker.timeline == []


def test_growing_a_tensor_allocates():
    with MemoryTracker() as tracker:
        x = runtime.empty(4)
        x.resize_(1024)
    assert tracker.current == 4096
    assert [entry[:3] for entry in tracker.timeline] == [("aten::empty.memory_format", 16, 16), ("aten::resize_", 4080, 4096)]


def test_a_reset_forgets_what_is_alive():
    with MemoryTracker(record_source=True) as tracker:
        x = runtime.ones(4)
        assert "x = runtime.ones(4)" in tracker.timeline[0][3]
        tracker.reset()
        del x
        assert (tracker.current, tracker.peak, tracker.allocated) == (0, 0, 0)


def test_the_plot_needs_matplotlib(monkeypatch):
    with MemoryTracker() as tracker:
        runtime.ones(4)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        tracker.plot()


def test_the_plot_shows_the_bytes_alive(tmp_path):
    pytest.importorskip("matplotlib")
    with MemoryTracker() as tracker:
        runtime.ones(4).exp()
    figure = tracker.plot(tmp_path / "memory.png")
    assert list(figure.axes[0].lines[0].get_ydata()) == [entry[2] for entry in tracker.timeline]
    assert (tmp_path / "memory.png").stat().st_size > 0


# -------------------------------------------------------------------------------------------------------------- NanDetector


def test_the_operator_that_makes_nan_is_named_with_its_inputs_and_the_users_line():
    x = runtime.tensor([-1.0, 4.0])
    with pytest.raises(NanError) as error, NanDetector():
        runtime.sqrt(x.neg().neg())  # this line
    lines = str(error.value).splitlines()
    assert lines[0] == "aten::sqrt made NaN (1 of 2 elements)"
    assert lines[1] == "  input 0: f32[2] in [-1, 4]"
    assert __file__ in lines[2] and "this line" in lines[2]


def test_infinity_counts_if_wanted():
    one, zero = runtime.tensor([1.0, 1j]), runtime.zeros(2)
    with pytest.raises(NanError, match=r"aten::div.Tensor made (infinity|NaN)"), NanDetector():
        one / zero
    with NanDetector(check_inf=False) as detector:
        runtime.ones(2) / zero
    assert detector.findings == []


def test_passing_nan_on_is_no_finding():
    nan = runtime.tensor([float("nan"), 1.0])
    with NanDetector(report_only=True) as detector:
        (nan * 2).sum()
        x = runtime.tensor([-1.0, 1.0])
        x.log_().exp_()
        runtime.empty(1000).fill_(0)
        runtime.ones(2, device="meta").log()
    assert [finding.splitlines()[0] for finding in detector.findings] == ["aten::log_ made NaN (1 of 2 elements)"]
    assert "in [-1, 1]" in detector.findings[0]  # as it was before the call


# --------------------------------------------------------------------------------------------------------------- the package


def test_importing_the_package_imports_no_plots_and_no_tools():
    code = """
import sys, runtime
assert not {"runtime.tools", "matplotlib"} & set(sys.modules)
import runtime.tools
assert "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
