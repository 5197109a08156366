"""How many threads the measured libraries use: PyTorch's own setting, and that of each OpenBLAS in the process (NumPy's and SciPy's).

Barriers of threads say more about the rest of the machine than about a library, so rows that are not about threads use one. The
package's own pool has no setting yet: it uses all processors for large work.
"""

import contextlib
import ctypes
import functools
import importlib


@functools.cache
def _openblas_setters():
    """The `set_num_threads` functions of the OpenBLAS libraries that are loaded; none where /proc does not tell."""
    importlib.import_module("scipy.linalg.cython_blas")
    found = []
    with contextlib.suppress(OSError), open("/proc/self/maps") as maps:
        for path in sorted({line.split()[-1] for line in maps if "openblas" in line}):
            library = ctypes.CDLL(path)
            for name in ("openblas_set_num_threads", "scipy_openblas_set_num_threads"):
                found += [getattr(library, name + suffix) for suffix in ("", "64_") if hasattr(library, name + suffix)]
    return found


def set_threads(worlds, count):
    """Let PyTorch and the BLAS libraries use so many threads.

    Parameters
    ----------
    worlds : dict of str to World
        The libraries of the run.
    count : int
        The number of threads.
    """
    for setter in _openblas_setters():
        setter(ctypes.c_int(count))
    if "torch" in worlds:
        worlds["torch"].lib.set_num_threads(count)


@contextlib.contextmanager
def one_torch_thread(torch):
    """A context in which PyTorch uses one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
