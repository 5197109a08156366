"""Groups of processes that run one function: started together, waited for together, and stopped together when one of them fails."""

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
import warnings

__all__ = ["ProcessContext", "ProcessException", "ProcessExitedException", "ProcessRaisedException", "spawn", "start_processes"]


class ProcessException(Exception):
    """A process of a group failed.

    Attributes
    ----------
    msg : str
    error_index, error_pid : int
        Its number in the group, and its process id.
    """

    def __init__(self, msg, error_index, error_pid):
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.error_pid = error_pid

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """The function raised; the message has the traceback."""


class ProcessExitedException(ProcessException):
    """The process was ended by a signal or exited with a code.

    Attributes
    ----------
    exit_code : int
    signal_name : str or None
    """

    def __init__(self, msg, error_index, error_pid, exit_code, signal_name=None):
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name)


_PR_SET_PDEATHSIG = 1

# Asks PyTorch to start the processes of a group at the same time where a fork server makes them; here each start waits for the one before.
ENV_VAR_PARALLEL_START = "TORCH_MP_PARALLEL_START"


def _prctl_pr_set_pdeathsig(number):
    """Where the system can do it: get a signal when the parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))


def _run(fn, index, args, error_file):
    _prctl_pr_set_pdeathsig(signal.SIGINT)
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass  # the parent ended, or the user interrupts all
    except Exception:
        with open(error_file, "wb") as file:
            pickle.dump(traceback.format_exc(), file)
        sys.exit(1)


class ProcessContext:
    """A group of running processes.

    Attributes
    ----------
    processes : list of Process
    error_files : list of str
        Where each leaves its traceback.
    """

    def __init__(self, processes, error_files):
        self.processes = processes
        self.error_files = error_files
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self):
        """The process ids."""
        return [process.pid for process in self.processes]

    def join(self, timeout=None, grace_period=None):
        """Wait until a process ends; if it failed, stop the others and raise what happened.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait.
        grace_period : float, optional
            Seconds that the others get to end by themselves, and then after the signal that asks them to.

        Returns
        -------
        bool
            Whether all have ended.
        """
        failed = None
        for sentinel in multiprocessing.connection.wait(list(self.sentinels), timeout) if self.sentinels else ():
            index = self.sentinels.pop(sentinel)
            self.processes[index].join()
            if self.processes[index].exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        if grace_period is not None:
            self._join_until(time.monotonic() + grace_period)
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        self._join_until(time.monotonic() + (30 if grace_period is None else grace_period))
        for process in self.processes:
            if process.is_alive():
                process.kill()
            process.join()
        raise self._failure(failed)

    def _join_until(self, deadline):
        for process in self.processes:
            process.join(max(0, deadline - time.monotonic()))

    def _failure(self, index):
        process = self.processes[index]
        if os.path.exists(self.error_files[index]):
            with open(self.error_files[index], "rb") as file:
                text = pickle.load(file)
            os.unlink(self.error_files[index])
            return ProcessRaisedException(f"\n\n-- Process {index} terminated with the following error:\n{text}", index, process.pid)
        code = process.exitcode
        if code >= 0:
            return ProcessExitedException(f"process {index} terminated with exit code {code}", index, process.pid, code)
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"<Unknown signal {-code}>"
        return ProcessExitedException(f"process {index} terminated with signal {name}", index, process.pid, code, name)


class SpawnContext(ProcessContext):
    """The name of `ProcessContext` before PyTorch 1.4."""

    def __init__(self, processes, error_files):
        warnings.warn("SpawnContext is renamed to ProcessContext since 1.4 release.", stacklevel=2)
        super().__init__(processes, error_files)


def start_processes(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Run ``fn(i, *args)`` in a number of processes.

    Parameters
    ----------
    fn : callable
        With the start methods "spawn" and "forkserver" it must be importable.
    args : tuple
    nprocs : int
    join : bool
        Whether to wait for them. If one fails, the others are stopped and a `ProcessRaisedException` or `ProcessExitedException` is raised.
    daemon : bool
        Whether they are stopped when this process ends.
    start_method : str

    Returns
    -------
    ProcessContext or None
        None if they were waited for.
    """
    context = multiprocessing.get_context(start_method)
    processes, error_files = [], []
    for index in range(nprocs):
        # Only a name: the file is there if the process failed.
        handle, name = tempfile.mkstemp(prefix="redispatch-error-", suffix=".pickle")
        os.close(handle)
        os.unlink(name)
        process = context.Process(target=_run, args=(fn, index, args, name), daemon=daemon)
        process.start()
        processes.append(process)
        error_files.append(name)
    group = ProcessContext(processes, error_files)
    if not join:
        return group
    while not group.join():
        pass
    return None


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """As `start_processes`, always with the start method "spawn"."""
    if start_method != "spawn":
        warnings.warn(
            f"This method only supports start_method=spawn (got: {start_method}).\n"
            "To use a different start_method use:\n\t\t torch.multiprocessing.start_processes(...)",
            FutureWarning,
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon)
