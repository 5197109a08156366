"""The command line: what each command prints, and how it fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from runtime import _core
from runtime.cli import main
from runtime.coverage import CORE_ATEN, core_aten

CHECKOUT = Path(__file__).parents[1]


def run(capsys, *args):
    status = main(list(args))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def command(*args, env=None):
    return subprocess.run([sys.executable, "-m", "runtime", *args], capture_output=True, text=True, cwd=CHECKOUT, env=env)


def test_info_names_the_version_and_the_extension(capsys):
    status, out, _ = run(capsys, "info")
    assert status == 0
    assert runtime.__version__ in out
    assert "_core" in out


def test_info_as_json_counts_operators_and_keys(capsys):
    _, out, _ = run(capsys, "info", "--json")
    facts = json.loads(out)
    assert facts["operators"] == len(_core._dispatch_get_all_op_names())
    assert facts["backends"] == 16
    assert 0 < facts["operators with a CPU kernel"] <= facts["operators"]
    assert "aten" in facts["namespaces"]


def test_explain_shows_schema_and_table(capsys):
    status, out, _ = run(capsys, "explain", "aten::add.Tensor")
    assert status == 0
    assert out.startswith("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor\n")
    assert "AutogradCPU" in out


def test_explain_completes_the_namespace_and_names_the_other_overloads(capsys):
    _, out, _ = run(capsys, "explain", "add")
    assert "other overloads: " in out
    assert "aten::add.out" in out


@pytest.mark.parametrize("keys, runs", [("CPU", "CPU"), ("CPU,AutogradCPU", "AutogradCPU"), ("Meta", "Meta")])
def test_explain_of_keys_says_which_slot_runs(capsys, keys, runs):
    _, out, _ = run(capsys, "explain", "aten::add.Tensor", "--keys", keys, "--json")
    explanation = json.loads(out)
    assert explanation["key"] == runs
    _, out, _ = run(capsys, "explain", "aten::add.Tensor", "--keys", keys)
    assert f"runs: {runs}: registered at" in out


def test_explain_of_a_key_without_a_kernel_says_so(capsys):
    _, out, _ = run(capsys, "explain", "aten::add.out", "--keys", "FPGA")
    assert "runs: FPGA: no kernel" in out


@pytest.mark.parametrize(
    "args, message",
    [
        (("explain", "reshap"), "there is no operator aten::reshap; did you mean aten::reshape"),
        (("explain", "nothing::like_it"), "there is no operator nothing::like_it"),
        (("explain", "add.nope"), "aten::add has no overload 'nope'; it has Scalar, Scalar_out, Tensor, out"),
        (("explain", "add", "--keys", "NoSuchKey"), "NoSuchKey"),
        (("ops", "no such operator"), "there is no operator with 'no such operator' in its name"),
    ],
)
def test_failures_are_one_line_on_the_error_stream(capsys, args, message):
    status, out, err = run(capsys, *args)
    assert status == 1
    assert out == ""
    assert err.startswith(f"runtime {args[0]}: ")
    assert message in err


def test_a_wrong_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as e:
        main(["nonsense"])
    assert e.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_ops_lists_schemas(capsys):
    _, out, _ = run(capsys, "ops", "::add.")
    assert "aten::add.out(Tensor self, Tensor other, *, Scalar alpha=1, Tensor(a!) out) -> Tensor(a!)" in out.splitlines()


def test_ops_ends_with_the_coverage_of_core_aten(capsys):
    _, out, _ = run(capsys, "ops")
    covered, missing = core_aten()
    assert f"\nCore ATen: {len(covered)} of 193 overloads\n" in out and "\naten::add.Tensor(" in out
    assert len(covered) + len(missing) == len(CORE_ATEN) == 193 and "add.Tensor" in covered


@pytest.mark.oracle
def test_core_aten_is_what_pytorch_tags_as_core():
    torch = pytest.importorskip("torch")
    operators = [name.removeprefix("aten::").partition(".") for name in torch._C._dispatch_get_all_op_names() if name.startswith("aten::")]
    found = set()
    for base, _, overload in operators:
        op = getattr(getattr(torch.ops.aten, base), overload or "default", None)
        if op is not None and torch.Tag.core in op.tags:
            found.add(f"{base}.{overload}" if overload else base)
    assert found == CORE_ATEN


def test_ops_as_json_lists_names(capsys):
    _, out, _ = run(capsys, "ops", "::add.", "--json")
    assert json.loads(out) == ["aten::add.Scalar", "aten::add.Scalar_out", "aten::add.Tensor", "aten::add.out"]


def test_demo_shows_every_kind_of_kernel_and_leaves_nothing_behind(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    # Without PyTorch, whose import takes seconds.
    monkeypatch.setitem(sys.modules, "torch", None)
    before = set(_core._dispatch_get_all_op_names())
    status, out, _ = run(capsys, "demo", "--quick")
    assert status == 0
    assert "seen: demo::scale, aten::mul.Tensor, aten::sub.Tensor, aten::sum " in out
    assert "seen: aten::mul.Tensor, aten::sub.Tensor, aten::sum " in out
    assert "rule for CPU: math kernel" in out
    assert "agrees with NumPy: True" in out or "left out: " in out
    assert "hasattr(ops.demo, 'scale') is False" in out
    assert "NumPy" in out and "PyTorch is not installed" in out
    assert set(_core._dispatch_get_all_op_names()) == before
    assert not _core._dispatch_has_backend_fallback("TESTING_ONLY_GenericMode")


def test_demo_says_that_the_c_kernels_are_left_out_without_a_compiler(capsys, monkeypatch):
    from runtime import inline

    def no_compiler():
        raise inline.NoCompiler("there is no C compiler on the path")

    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(inline, "_compiler", no_compiler)
    status, out, _ = run(capsys, "demo", "--quick")
    assert status == 0
    assert "left out: there is no C compiler on the path" in out


def test_bench_measures_the_chosen_rows(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    status, out, _ = run(capsys, "bench", "--quick", "--only", "core: k1 | k2")
    assert status == 0
    assert "k1 | k2" in out


def test_bench_without_a_checkout_says_where_the_benchmarks_are(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("runtime.cli.__file__", str(tmp_path / "runtime" / "cli.py"))
    status, _, err = run(capsys, "bench")
    assert status == 1
    assert "part of the source checkout" in err


@pytest.mark.parametrize(
    "args, expected",
    [
        (["info"], "operators"),
        (["explain", "add"], "aten::add"),
        (["ops", "::mm"], "aten::mm("),
        (["bench", "--quick", "--only", "no such row"], "there is no row"),
    ],
)
def test_commands_run_as_processes(args, expected):
    process = command(*args)
    assert expected in process.stdout
    assert process.stderr == ""
    assert process.returncode == (2 if args[0] == "bench" else 0)


def test_a_closed_pipe_ends_the_command_quietly():
    process = subprocess.Popen([sys.executable, "-m", "runtime", "ops"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CHECKOUT)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_demo_as_json_has_its_steps_and_latencies(capsys):
    status, out, _ = run(capsys, "demo", "--quick", "--json")
    results = json.loads(out)
    assert status == 0 and {"step", "code", "result"} == set(results["steps"][0])
    assert 0 < results["latencies"]["a + b"]["ours"] < 1e6


def test_an_operator_may_be_named_as_in_python(capsys):
    assert run(capsys, "explain", "aten.add.Tensor", "--json")[1] == run(capsys, "explain", "aten::add.Tensor", "--json")[1]
