"""`multiprocessing`, with tensors that processes share instead of copying.

Everything of the standard module is here. What goes through a queue or a pipe, or is an argument of a process, arrives with its tensors on the
sender's memory: importing this module registers how (`reductions`). `memory` owns the files behind shared storages, `spawn` starts groups of
processes and waits for them.
"""

from multiprocessing import *  # noqa: F403
from multiprocessing import __all__ as _standard_names

from runtime.multiprocessing import reductions as reductions
from runtime.multiprocessing.memory import get_all_sharing_strategies, get_sharing_strategy, set_sharing_strategy
from runtime.multiprocessing.spawn import (
    ENV_VAR_PARALLEL_START,
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)
from runtime.multiprocessing.spawn import _prctl_pr_set_pdeathsig as _prctl_pr_set_pdeathsig

__all__ = [
    "ENV_VAR_PARALLEL_START",
    "ProcessContext",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
    *_standard_names,
]
