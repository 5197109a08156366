"""The documents are true: their examples run, and the files that they name exist."""

import doctest
import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "runtime").rglob("*.py")
    if path.relative_to(ROOT).parts[1] not in ("_generated", "_data") and ">>> " in path.read_text()
)
PATH = re.compile(r"`((?:runtime|kernels|include|examples|docs|tests|bench)/[\w./-]*)`|\]\(([\w./-]+\.md)\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_the_examples_of_a_document_run(document):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failed, _ = doctest.testfile(str(document), module_relative=False, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    assert failed == 0


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module):
    from importlib import import_module

    failed, attempted = doctest.testmod(import_module(module))
    assert failed == 0 and attempted > 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_every_file_that_a_document_names_exists(document):
    for match in PATH.finditer(document.read_text()):
        path = ROOT / match.group(1) if match.group(1) else document.parent / match.group(2)
        if not match.group(1) or not path.is_relative_to(ROOT / "runtime" / "_data"):
            assert path.exists(), f"{document.name} names {path.relative_to(ROOT)}"
