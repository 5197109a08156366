"""The benchmarks themselves: every row's statements run and agree between the libraries; what a run prints and writes."""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import runtime
from runtime.benchmark import Statement, World, measure, pretty, worlds

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import operators  # noqa: E402
from bench.native import kernels  # noqa: E402
from bench.row import ONE_THREAD, AsFastAsBest, AtMost, Faster, Row, Skip, Within  # noqa: E402
from bench.run import ROWS, result, run  # noqa: E402
from bench.threads import set_threads  # noqa: E402

WITHOUT_TORCH = {"ours": World("ours", runtime), "numpy": World("numpy", np)}
# Large sizes run the same statements as small ones.
SMALL = [row for row in ROWS if row.quick and row.statements and "1e5" not in row.name and "256" not in row.name]


def has_operators(row):
    return all(hasattr(runtime.ops.aten, name) for name in row.requires)


def outcomes(row, present):
    """The value of each contender's statement that is an expression; the others are executed."""
    found = {}
    with contextlib.ExitStack() as stack:
        try:
            statements = row.prepare(present, stack)
        except Skip as e:
            pytest.skip(str(e))
        for name, statement in statements.items():
            if "\n" in statement.source or ";" in statement.source:
                with statement.around():
                    statement.timer().timeit(1)
            else:
                found[name] = as_arrays(statement.value())
    return found


def as_arrays(value):
    if isinstance(value, (tuple, list)):
        return [as_arrays(v) for v in value]
    value = getattr(value, "elem", value)  # of a wrapper subclass
    return value.detach().numpy() if hasattr(value, "detach") else value


def agree(a, b):
    if isinstance(a, list):
        return all(agree(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, (np.ndarray, np.generic, float, int)):
        return np.allclose(a, b, rtol=1e-4)
    return str(a) == str(b)


@pytest.mark.parametrize("row", SMALL, ids=lambda row: f"{row.group}: {row.name}")
def test_contenders_of_a_row_compute_the_same(row):
    if not has_operators(row):
        assert result(row, WITHOUT_TORCH, True)["verdict"] == "pending"
        return
    found = outcomes(row, WITHOUT_TORCH)
    for name in found:
        # What a guard or a layer does not change is compared too: every contender of a row has one result.
        # Only an override that does nothing has none.
        assert name == "override" or agree(found["ours"], found[name]), name


@pytest.mark.oracle
@pytest.mark.parametrize("row", SMALL, ids=lambda row: f"{row.group}: {row.name}")
def test_rows_compute_what_pytorch_computes(row):
    torch = pytest.importorskip("torch")
    if "torch" not in row.statements or not has_operators(row):
        pytest.skip("nothing to compare")
    found = outcomes(row, WITHOUT_TORCH | {"torch": World("torch", torch)})
    assert found == {} or agree(found["ours"], found["torch"])


def test_names_of_rows_are_unique():
    names = [(row.group, row.name) for row in ROWS]
    assert len(set(names)) == len(names)


def test_statements_on_four_elements_are_expressions():
    for source in operators.sources():
        compile(source, source, "eval")


def test_a_run_prints_the_rows_and_writes_json(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    text = io.StringIO()
    file = tmp_path / "results.json"
    assert run(Console(file=text, width=150), only="core: a", quick=True, json_file=str(file), rows=ROWS[:2]) == 0
    written = json.loads(file.read_text())
    assert set(written) == {"machine", "date", "quick", "rows"}
    assert {"processor", "system", "python", "numpy", "runtime"} <= set(written["machine"])
    first, second = written["rows"]
    assert (first["group"], first["name"]) == ("core", "a + b")
    assert first["goals"] == [">= 12x torch", ">= 5x numpy"]
    assert set(first["values"]) == {"ours", "numpy"}
    assert all(value > 0 for value in first["values"].values())
    assert first["verdict"] in ("met", "missed")
    # Its only goal is about PyTorch, which is not there.
    assert second["verdict"] == "-"
    for name in ("a + b", "add(a, b, out=c)"):
        assert name in text.getvalue()


def test_nothing_chosen_is_an_error():
    text = io.StringIO()
    assert run(Console(file=text), only="no such row", quick=True) == 2
    assert "there is no row with 'no such row' in its name" in text.getvalue()


def test_a_row_that_fails_or_cannot_run_does_not_stop_the_others():
    def skipping(world):
        raise Skip("no compiler")

    def failing(present, quick):
        raise ValueError("broken")

    assert result(Row("g", "n", (), skipping, {"ours": "1"}), WITHOUT_TORCH, True)["note"] == "no compiler"
    failed = result(Row("g", "n", (), measured=failing), WITHOUT_TORCH, True)
    assert (failed["verdict"], failed["note"]) == ("failed", "ValueError: broken")


def test_a_row_without_its_operator_is_pending():
    row = Row("g", "n", (), requires=("no_such_operator",))
    assert result(row, WITHOUT_TORCH, True)["verdict"] == "pending"


@pytest.mark.parametrize(
    "goal, values, score",
    [
        (Faster("torch", 10), {"ours": 50, "torch": 1000}, 2),
        (Faster("torch", 10), {"ours": 50}, None),
        (AsFastAsBest(0.5), {"ours": 100, "torch": 50, "numpy": 70}, 1),
        (AsFastAsBest(0.5), {"ours": 100, "numpy": 70}, 1.4),
        (AsFastAsBest(0.5), {"ours": 100, "torch": 5000, ONE_THREAD: 60, "numpy": 70}, 1.2),
        (AsFastAsBest(0.5), {"ours": 100}, None),
        (Within("builtin", 1.5), {"ours": 100, "builtin": 100}, 1.5),
        (Within("numpy", 1, 50), {"ours": 100, "numpy": 150}, 2),
        (AtMost(5), {"ours": 10}, 0.5),
    ],
)
def test_scores_say_how_far_a_goal_is_exceeded(goal, values, score):
    assert goal.score(values) == (None if score is None else pytest.approx(score))


def test_the_hardest_goal_decides():
    row = Row("g", "n", (Faster("torch", 10), Faster("numpy", 2)))
    assert row.judge({"ours": 1, "torch": 20, "numpy": 1}) == ("missed", 0.5)
    assert row.judge({"ours": 1, "torch": 20, "numpy": 2}) == ("met", 1)
    assert row.judge({"ours": 1}) == ("-", None)


def test_measure_runs_inside_the_context_of_a_statement():
    inside = []

    @contextlib.contextmanager
    def around():
        inside.append(True)
        yield
        inside.pop()

    seen = set()
    names = {"seen": seen, "inside": inside}
    times = measure({"in": Statement("seen.add(len(inside))", names, around)}, repeats=2, seconds=1e-5)
    assert seen == {1}
    assert inside == []
    assert set(times) == {"in"}


@pytest.mark.oracle
def test_threads_are_set_in_pytorch_and_in_each_blas():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    try:
        set_threads({"torch": World("torch", torch)}, 1)
        assert torch.get_num_threads() == 1
    finally:
        set_threads({"torch": World("torch", torch)}, before)
    # Products are as right as before.
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(runtime.mm(runtime.from_numpy(x), runtime.from_numpy(x.T)).numpy(), x @ x.T)


@pytest.mark.oracle
def test_rows_with_threads_measure_pytorch_with_one_thread_too():
    torch = pytest.importorskip("torch")
    row = next(row for row in ROWS if row.name == "x + y, 1e3")
    before = torch.get_num_threads()
    with contextlib.ExitStack() as stack:
        statement = row.prepare({"torch": World("torch", torch)}, stack)[ONE_THREAD]
        with statement.around():
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_worlds_leave_out_what_does_not_import(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert set(worlds()) == {"ours", "numpy"}


@pytest.mark.parametrize("layout", ["C", "F"])
def test_tensors_of_a_world_keep_strides_and_do_not_share_memory(layout):
    array = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], order=layout)
    ours, numpy = (WITHOUT_TORCH[name].tensor(array) for name in ("ours", "numpy"))
    assert tuple(s * 8 for s in ours.stride()) == numpy.strides == array.strides
    array[0, 0] = 9
    assert ours[0, 0].item() == numpy[0, 0] == 1


@pytest.mark.parametrize("ns, text", [(3.14159, "3.1 ns"), (49.6, "50 ns"), (1234, "1.23 µs"), (5.6e7, "56 ms"), (2e9, "2 s")])
def test_times_are_printed_with_a_suitable_unit(ns, text):
    assert pretty(ns) == text


def test_native_kernels_refuse_data_that_they_do_not_handle():
    try:
        compiled = kernels()
    except Skip as e:
        pytest.skip(str(e))
    with runtime.library._scoped_library("bench_test", "DEF") as library:
        library.define("add(Tensor a, Tensor b) -> Tensor")
        library.impl("add", compiled.bench_add, "CPU")
        with pytest.raises(TypeError, match="contiguous float32"):
            runtime.ops.bench_test.add(runtime.ones(2, dtype=runtime.float64), runtime.ones(2))
