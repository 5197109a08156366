"""The examples of modes, subclasses and tools: each is short, runs, and says what it is there to show."""

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples"

SAYS = {
    "debug_mode.py": ["aten::mm(t$0: f32[2, 3], t$2: f32[3, 4])  ->  t$3: f32[2, 4]", " in layer, code: return", "{'hash': 24.0}"],
    "flop_counter.py": [" - aten.convolution  7077.888K   72.97%", "1310720"],
    "function_mode.py": ["meta (10000, 30000) tensor([1., 1.])"],
    "logging_calls.py": ["$1: f32[1] = torch._ops.aten.mul.Tensor($0, $0)", "torch._ops.aten.addmm.default($2, $0, $3)"],
    "memory_tracker.py": ["peak 3.00 MiB, alive 1.00 MiB, allocated 7.00 MiB", "code: x = (x * 2).sqrt()"],
    "nan_detector.py": ["aten::div.Tensor made NaN (4 of 4 elements)", "1 finding"],
    "own_mode.py": ["torch.float32", "'aten::mm': 1"],
    "own_subclass.py": ["[6.0, 8.0] m | [3.0, 4.0] m*s | 7.0 m", "m and s do not add up"],
    "pytrees.py": ["['layers'][0].bias = torch.Size([2])", "{'layers': [Layer(weight=*, bias=*)], 'scale': *} 3"],
    "two_tensors.py": ["tensor([2., 6.]) tensor([3., 3.])", "TwoTensor TwoTensor("],
}


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_and_says_what_it_shows(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name])
    runpy.run_path(str(FOLDER / name), run_name="__main__")
    said = capsys.readouterr().out
    assert [text for text in SAYS[name] if text not in said] == []


@pytest.mark.parametrize("name", SAYS)
def test_an_example_is_short_and_says_first_what_it_shows(name):
    lines = (FOLDER / name).read_text().splitlines()
    assert len(lines) < 40 and lines[0].startswith('"""') and lines[0].endswith('"""')


def test_the_network_learns_to_read_digits(capsys, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(sys, "argv", ["train_digits.py", "--epochs", "6"])
    runpy.run_path(str(FOLDER / "train_digits.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "38314 parameters, 138 steps" in said
    assert float(said.rpartition("% of the test digits")[0].split()[-1]) > 97
