"""Files in memory: where the storages are that processes share.

With the strategy "file_descriptor" a file has no name; it lives as long as somebody has it open or mapped, so that nothing can stay behind
whatever happens to the processes. With "file_system" a file lies in a folder in memory and costs no open descriptor. The last process that
needs its path removes it, and if processes are killed, a watching process does so when all that could have used the folder are gone.
"""

import fcntl
import itertools
import os
import shutil
import sys
import tempfile

from runtime import _core

__all__ = [
    "file_key",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "keep_folder",
    "session_folder",
    "set_sharing_strategy",
    "share",
]

_strategies = {"file_descriptor", "file_system"} if hasattr(os, "memfd_create") else {"file_system"}
_strategy = "file_descriptor" if "file_descriptor" in _strategies else "file_system"


def set_sharing_strategy(new_strategy):
    """Choose how storages that become shared from now on reach other processes.

    Parameters
    ----------
    new_strategy : str
        "file_descriptor" or "file_system".
    """
    global _strategy
    if new_strategy not in _strategies:
        raise AssertionError(f"invalid sharing strategy {new_strategy!r}, expected one of {_strategies}")
    _strategy = new_strategy


def get_sharing_strategy():
    """The name of the strategy in use."""
    return _strategy


def get_all_sharing_strategies():
    """The names of the strategies that this system has, as a set."""
    return set(_strategies)


def file_key(fd):
    """What identifies an open file, in whatever process."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def share(storage):
    """Move a storage to shared memory, unless it is there.

    Parameters
    ----------
    storage : UntypedStorage
        Where there is no memory to share, on the meta device, nothing happens.

    Raises
    ------
    RuntimeError
        If there is not enough shared memory, or a running kernel works on the storage.
    """
    if storage.device.type == "meta" or storage.is_shared():
        return
    path = None
    try:
        if _strategy == "file_descriptor":
            fd = _nameless_file(storage.nbytes())
        else:
            path, fd = _named_file(storage.nbytes())
    except OSError as error:
        raise RuntimeError(f"unable to allocate {storage.nbytes()} bytes of shared memory: {error.strerror} ({error.errno})") from None
    moved = False
    try:
        _core._move_to_shared_memory(storage, fd, file_key(fd) if path is None else path, path)
        moved = True
    except RuntimeError:
        if not storage.is_shared():  # it is if another thread was faster
            raise
    finally:
        if path is not None or not moved:
            os.close(fd)
        if path is not None and not moved:
            os.unlink(path)


def _allocate(fd, nbytes):
    # At once: writing to memory that turns out not to be there would end the process.
    try:
        os.posix_fallocate(fd, 0, max(nbytes, 1))
    except BaseException:
        os.close(fd)
        raise


def _nameless_file(nbytes):
    fd = os.memfd_create("redispatch", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    _allocate(fd, nbytes)
    # Nobody can make it shorter and take memory away that others have mapped.
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return fd


_folder = None
_kept = {}  # by folder: the end of its pipe, at whose other end the watching process waits until all have closed it
_numbers = itertools.count()
_COUNT_BYTES = 64  # what a file with a path starts with: see runtime/core/shared_memory.pxi


def _named_file(nbytes):
    folder = session_folder()
    path = f"{folder}/{os.getpid()}-{next(_numbers)}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _allocate(fd, nbytes + _COUNT_BYTES)
    except BaseException:
        os.unlink(path)
        raise
    return path, fd


_WATCHER = """
import os, shutil, sys
for fd in os.listdir("/dev/fd"):  # by whatever it has inherited others tell that this process is there
    try:
        os.close(int(fd) if int(fd) > 2 else -1)
    except OSError:
        pass
sys.stdin.buffer.read()
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
_PIPE = "alive"


def session_folder():
    """The folder of this process and those that are forked from it; it is removed when the last process that keeps it is gone."""
    global _folder
    if _folder is None:
        folder = tempfile.mkdtemp(prefix="redispatch-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        try:
            pipe = f"{folder}/{_PIPE}"
            os.mkfifo(pipe, 0o600)
            theirs = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                keep_folder(folder)
                os.set_blocking(theirs, True)
                # In a group of its own: an interrupt from the keyboard must not reach it. Nor shall who reads what this program writes
                # wait for it.
                os.posix_spawn(
                    sys.executable,
                    [sys.executable, "-I", "-S", "-c", _WATCHER, folder],
                    os.environ,
                    file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 0), *((os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2))],
                    setpgroup=0,
                )
            finally:
                os.close(theirs)
        except BaseException:
            shutil.rmtree(folder)
            raise
        _folder = folder
    return _folder


def keep_folder(folder):
    """Keep a folder, this process's or another's, as long as this process lives or there are files in it."""
    if folder in _kept:
        return
    for other in [other for other in _kept if other != _folder]:
        if not os.path.isdir(other) or os.listdir(other) == [_PIPE]:
            os.close(_kept.pop(other))
    _kept[folder] = os.open(f"{folder}/{_PIPE}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
