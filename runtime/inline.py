"""Compiling a few lines of C at run time: how the demo and the benchmarks get native kernels.

A kernel that ships with a package is better built with the package; this is for trying things out. Nothing else imports this module.
"""

import ctypes
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path


class NoCompiler(RuntimeError):
    """There is no C compiler, or no headers to compile against."""


def _compiler():
    for command in (sysconfig.get_config_var("CC"), "cc", "gcc", "clang"):
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    raise NoCompiler("there is no C compiler on the path")


def load_c(source, include_dirs=()):
    """Compile C source against the runtime's headers and load it.

    Parameters
    ----------
    source : str
        One translation unit; it may include ``"runtime/runtime.h"`` and ``<Python.h>``.
    include_dirs : sequence of str
        More folders with headers.

    Returns
    -------
    ctypes.PyDLL
        The library; its functions are called with the GIL held. It stays loaded as long as the process lives.

    Raises
    ------
    NoCompiler
        If there is no compiler, or Python's headers are not installed.
    RuntimeError
        With the compiler's output, if the source does not compile.
    """
    from runtime import get_include

    command = _compiler()
    python = sysconfig.get_path("include")
    if not Path(python, "Python.h").exists():
        raise NoCompiler("Python's headers are not installed")
    with tempfile.TemporaryDirectory() as folder:
        code, library = Path(folder, "kernels.c"), Path(folder, "kernels.so")
        code.write_text(source)
        folders = [f"-I{f}" for f in (get_include(), python, *include_dirs)]
        run = subprocess.run(
            [*command, "-O2", "-fPIC", "-shared", *folders, str(code), "-o", str(library)],
            capture_output=True,
            text=True,
        )
        if run.returncode:
            raise RuntimeError(f"the C source does not compile:\n{run.stderr}")
        return ctypes.PyDLL(str(library))
