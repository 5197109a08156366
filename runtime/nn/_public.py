"""The public functions of operators, which refuse wrong types of arguments with the errors of PyTorch's functions."""

from runtime import _core

public = {**_core.functions_of("nn"), **_core.functions}
