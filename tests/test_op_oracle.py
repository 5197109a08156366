"""Entries of PyTorch's operator database that match, by docs/operator-oracle.md, go on matching."""

import warnings

import pytest

pytest.importorskip("torch")

from tests.op_oracle import PAGE, name_of, op_db, run  # noqa: E402
from tests.op_oracle_page import matching  # noqa: E402

MATCHING = set(matching(PAGE.read_text()))
LIMIT = 6  # samples for each dtype; the page is made of all


def test_as_many_entries_match_as_the_project_promises():
    assert len(MATCHING) >= 686


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize("op", [op for op in op_db if name_of(op) in MATCHING], ids=name_of)
def test_samples_match(op):
    differences = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = run(op, limit=LIMIT, report=differences.append, variants=False)
    assert row.samples and row.matched == row.samples, differences
