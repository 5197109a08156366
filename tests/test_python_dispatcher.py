"""The teaching class shows the tables that PyTorch's shows."""

import subprocess
import sys

import pytest

from runtime.python_dispatcher import PythonDispatcher

CASES = [
    [],
    ["CPU", "XLA", "Lazy", "CompositeImplicitAutograd"],
    ["CPU", "XLA", "CompositeExplicitAutograd", "Autograd"],
    ["CPU", "AutogradCPU", "CompositeImplicitAutograd"],
    ["FPGA", "CompositeImplicitAutograd"],
    ["CPU", "Autograd"],
]


@pytest.fixture
def dispatcher():
    d = PythonDispatcher()
    yield d
    d.ref.reset()


@pytest.mark.parametrize("keys", CASES, ids="-".join)
@pytest.mark.oracle
def test_tables_equal_pytorchs(dispatcher, keys):
    pytest.importorskip("torch")
    dispatcher.register(keys)
    code = (
        "from torch._python_dispatcher import PythonDispatcher\n"
        f"d = PythonDispatcher(); d.register({keys!r})\n"
        "print(repr((d.registrations(), d.dispatchTable())))"
    )
    theirs = eval(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert (dispatcher.registrations(), dispatcher.dispatchTable()) == theirs


def test_a_direct_kernel_wins_over_the_composite_one(dispatcher):
    dispatcher.register(["CPU", "CompositeImplicitAutograd"])
    lines = dispatcher.dispatchTable().splitlines()
    assert "CPU             fn_CPU [kernel]" in lines
    assert "XLA             fn_CompositeImplicitAutograd [math kernel]" in lines
    assert "AutogradCPU     [backend fallback]" in lines


@pytest.mark.parametrize(
    "keys, text",
    [
        (["CPU", "CPU"], "Overriden is not allowed"),
        (["CompositeImplicitAutograd", "CompositeExplicitAutograd"], "Registration to both"),
        (["Meta"], "Meta is not supported, please select a dispatch key in"),
    ],
)
def test_what_cannot_be_registered_is_refused(dispatcher, keys, text):
    with pytest.raises(RuntimeError, match=text):
        dispatcher.register(keys)
