"""Tests over tables of layers and of optimizers (`modules`, `optims`): the decorators, and what tables hold. The tables have no entries here."""

from enum import Enum

from runtime.testing.parametrization import Case, CaseSource

module_db = []
optim_db = []


class ModuleErrorEnum(Enum):
    """When a layer raises the error that a test expects."""

    CONSTRUCTION_ERROR = 0
    FORWARD_ERROR = 1


class TrainEvalMode(Enum):
    """In which modes a test runs a layer."""

    train_only = 0
    eval_only = 1
    train_and_eval = 2


class OptimizerErrorEnum(Enum):
    """When an optimizer raises the error that a test expects."""

    CONSTRUCTION_ERROR = 0
    STEP_ERROR = 1


class modules(CaseSource):
    """Run a test for each entry of a table of layers, given to its ``module_info`` argument, each dtype and each mode.

    Parameters
    ----------
    module_info_iterable : iterable
        Entries with ``formatted_name`` and ``supported_dtypes(device_type)``.
    allowed_dtypes : sequence of dtype, optional
        Leave out all others.
    train_eval_mode : TrainEvalMode
    """

    def __init__(self, module_info_iterable, allowed_dtypes=None, train_eval_mode=TrainEvalMode.train_and_eval, skip_if_dynamo=True):
        self.entries, self.allowed_dtypes = list(module_info_iterable), allowed_dtypes
        self.modes = {TrainEvalMode.train_only: (True,), TrainEvalMode.eval_only: (False,)}.get(train_eval_mode, (True, False))

    def cases(self, function, generic, device_type):
        """One case for each layer, dtype and mode."""
        for entry in self.entries:
            for dtype in entry.supported_dtypes(device_type):
                if self.allowed_dtypes is None or dtype in self.allowed_dtypes:
                    for training in self.modes:
                        mode = "" if len(self.modes) == 1 else "_train_mode" if training else "_eval_mode"
                        yield Case(entry.formatted_name + mode, {"module_info": entry, "dtype": dtype, "training": training})


class optims(CaseSource):
    """Run a test for each entry of a table of optimizers, given to its ``optim_info`` argument, and each dtype.

    Parameters
    ----------
    optim_info_iterable : iterable
        Entries with ``name``.
    dtypes : sequence of dtype, optional
        Without them the test has no case for dtypes but None.
    """

    def __init__(self, optim_info_iterable, dtypes=None):
        self.entries, self.dtypes = list(optim_info_iterable), dtypes or [None]

    def cases(self, function, generic, device_type):
        """One case for each optimizer and dtype."""
        for entry in self.entries:
            for dtype in self.dtypes:
                yield Case(entry.name, {"optim_info": entry, "dtype": dtype})
