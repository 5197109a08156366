"""The seed's test_python_dispatch.py, all of its classes, run through `runtime.compat`.

The code block is cut out of the seed document (a folder beside the project, absent in most checkouts). docs/conformance.md lists the
cases that need more than there is.
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SEEDS = Path(__file__).resolve().parents[2] / "shared" / "seeds"

# Cases that need systems which are not built yet, and what they stop at.
NEED_MORE = {
    "test_alias_analysis": "torch.jit.script is not built yet",
    "test_returning_symint": "torch.fx.experimental.symbolic_shapes.ShapeEnv is not built yet",
    "test_make_fx_with_subclass": "torch.fx.experimental.proxy_tensor.make_fx is not built yet",
}
# Cases that the seed itself skips.
SKIPPED = {"test_fallthrough_for_dense_key_with_meta_in_tls"}

RUNNER = """
import json, sys, unittest
from runtime import compat
compat.install()
sys.path.insert(0, sys.argv[1])
import test_python_dispatch as module
results = {}
class Result(unittest.TestResult):
    def addSuccess(self, test): results[test.id().split(".")[-1]] = "passed"
    def addError(self, test, error): results[test.id().split(".")[-1]] = "error: " + "".join(self._exc_info_to_string(error, test))[-2000:]
    def addFailure(self, test, error): self.addError(test, error)
    def addSkip(self, test, reason): results[test.id().split(".")[-1]] = "skipped: " + reason
unittest.defaultTestLoader.loadTestsFromModule(module).run(Result())
print("RESULTS" + json.dumps(results))
"""


def seed_source():
    """The seed's code block; the last statement may break off in the middle and is left out then."""
    for path in sorted(SEEDS.glob("*.txt")) if SEEDS.is_dir() else ():
        text = path.read_text()
        start = text.find('# Owner(s): ["module: __torch_dispatch__"]')
        if start >= 0:
            lines = text[start : text.find("\n```", start) % (len(text) + 1)].splitlines()
            while True:
                try:
                    ast.parse("\n".join(lines))
                    return "\n".join(lines)
                except SyntaxError:
                    lines.pop()
    return None


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    source = seed_source()
    if source is None:
        pytest.skip(f"the seed documents are not here ({SEEDS.name} beside the project)")
    folder = tmp_path_factory.mktemp("seed")
    (folder / "test_python_dispatch.py").write_text(source)
    (folder / "run_seed.py").write_text(RUNNER)
    run = subprocess.run([sys.executable, str(folder / "run_seed.py"), str(folder)], capture_output=True, text=True, timeout=120)
    lines = [line for line in run.stdout.splitlines() if line.startswith("RESULTS")]
    assert lines, run.stdout + run.stderr
    return json.loads(lines[-1][len("RESULTS") :])


def test_every_case_passes_that_needs_no_later_system(results):
    others = {name: what for name, what in results.items() if name not in NEED_MORE and name not in SKIPPED}
    wrong = {name: what for name, what in others.items() if what != "passed"}
    assert not wrong, "\n\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert len(others) == 45


def test_a_case_that_needs_a_later_system_fails_by_naming_it(results):
    for name, reason in NEED_MORE.items():
        assert reason in results[name], f"{name}: {results[name]}"


def code_blocks():
    """The Python code of each seed document that has some."""
    for path in sorted(SEEDS.glob("*.txt")) if SEEDS.is_dir() else ():
        match = re.search(r"^```python\n(.*?)^```", path.read_text(), re.S | re.M)
        if match:
            yield path.name, match.group(1)


def imports_of(source):
    """The statements of a code block that import from PyTorch's packages; the text may break off in the middle of a later statement."""
    found = []
    for match in re.finditer(r"^(?:import|from) (?:torch|functorch|torchgen)\b[^\n(]*(?:\([^)]*\))?", source, re.M):
        ast.parse(match.group())
        found.append(match.group())
    return "\n".join(found)


def test_what_the_seeds_import_can_be_imported():
    blocks = list(code_blocks())
    if not blocks:
        pytest.skip(f"the seed documents are not here ({SEEDS.name} beside the project)")
    statements = "\n".join(imports_of(source) for _, source in blocks)
    assert statements.count("import") > 60
    code = "from runtime import compat\ncompat.install()\n" + statements
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
