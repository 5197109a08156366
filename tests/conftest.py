"""Fixtures of many test files."""

import pytest

from tests.libraries import new_library


@pytest.fixture
def lib():
    """A library of the test's own, gone with it."""
    library = new_library()
    yield library
    library._destroy()
