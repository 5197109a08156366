"""Builds ``redispatch``: generated sources, then one extension module, then the data files.

``pyproject.toml`` holds all that is static about the project; this file is the part of a build that is a program. It
is run by pip (PEP 517 and PEP 660, both in the source tree) and by developers::

    python setup.py build_ext --inplace

Four steps, each of which leaves alone what is already right:

1. the code generator (``runtime.torchgen.build``) writes ``runtime/_generated/``;
2. Cython translates ``runtime/_core.pyx`` with its parts into one C file;
3. the C compiler translates that file, the C parts of the core, the kernels and the generated C, several at a time;
4. the linker makes ``runtime._core`` of them, and ``runtime/_data/`` receives the headers, YAML files and CUDA
   sources that the installed package reads.

Steps 2 and 3 keep their outputs in ``build/objects/`` (see `Translator`), so an edit of one kernel compiles one file,
and so does an editable install that follows a wheel, although pip runs every build in a fresh environment. ``rm -rf
build`` forgets everything.

``RUNTIME_BUILD`` in the environment chooses the kind of build:

- ``release`` (default): optimized, stripped.
- ``debug``: fast to compile, assertions on, ``RT_DEBUG`` defined (it compiles the debug counters in).
- ``sanitize``: AddressSanitizer and UndefinedBehaviorSanitizer. The interpreter itself is not instrumented, so the
  runtime library must be loaded before it, and memory that CPython keeps until exit is not a leak::

      RUNTIME_BUILD=sanitize python setup.py build_ext --inplace
      LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)" \\
          ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc python -m pytest

``RUNTIME_OPS`` names a file that lists the operators to build; the others, and what only they use, are left out
(``runtime/torchgen/selection.py``).

A Python for macOS that holds two architectures needs ``ARCHFLAGS="-arch arm64"`` (or ``x86_64``): dependency files
exist for one at a time only.
"""

import concurrent.futures
import functools
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import types
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError, OptionError

ROOT = Path(__file__).resolve().parent
CACHE = ROOT / "build" / "objects"
GENERATED = ROOT / "runtime" / "_generated"
DATA = ROOT / "runtime" / "_data"

CORE = ROOT / "runtime" / "_core.pyx"
C_SOURCES = ("runtime/core/*.c", "kernels/shared/*.c", "kernels/cpu/*.c")
# The formulas of gradients are Python code when they are installed.
DATA_FILES = ("include/**/*", "kernels/[!d]*.yaml", "kernels/cuda/**/*.cu*")
# What the compilation reads besides the sources proper; a source distribution must hold it.
READ_BY_BUILD = (*DATA_FILES, "kernels/derivatives.yaml", "kernels/**/*.h", "kernels/**/*.p[xy][xdi]", "runtime/**/*.p[xy][xdi]", "runtime/**/*.h",
                 "runtime/torchgen/*.pyi.in")

# Kernels differ from the rest only in a release: -O3 pays in loops and costs in the core. `omp simd` is honoured
# everywhere, the OpenMP runtime nowhere: a team of its threads hangs in a forked child.
COMMON_FLAGS = [
    "-std=gnu17", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
    "-fno-strict-aliasing", "-fwrapv", "-fopenmp-simd", "-Wall",
    "-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION",
]  # fmt: skip
SANITIZERS = ["-fsanitize=address,undefined"]
STRIP = ["-Wl,-x"] if sys.platform == "darwin" else ["-s"]
# Calls of the interpreter's functions go through a pointer at once, without a stub in between: some 3 % of a short call.
DIRECT = [] if sys.platform == "darwin" else ["-fno-plt"]
# No exception of C++ crosses this code, so that the tables for unwinding it, 4 % of the binary, have no reader.
COMPACT = ["-g0", "-fno-asynchronous-unwind-tables"]
# What no operator of a selective build uses (RUNTIME_OPS) is left out of the binary.
COLLECT = ["-Wl,-dead_strip"] if sys.platform == "darwin" else ["-Wl,--gc-sections"]
# Tables of operators are full of addresses: what says where they stand is 1.1 MB, and 30 KB packed.
PACK = ["-Wl,-z,pack-relative-relocs"]
#       kind: flags of the core, flags of the kernels, flags of the linker
KINDS = {
    "release": (["-O2", *COMPACT, *DIRECT], ["-O3", *COMPACT, *DIRECT, "-fno-math-errno", "-fno-trapping-math"], STRIP),
    "debug": (["-Og", "-g0", "-UNDEBUG", "-DRT_DEBUG=1"],) * 2 + ([],),
    "sanitize": (["-O1", "-g", "-UNDEBUG", "-fno-omit-frame-pointer", *SANITIZERS],) * 2 + (SANITIZERS,),
}


def build_kind():
    """The kind of build that ``RUNTIME_BUILD`` asks for: a key of `KINDS`."""
    kind = os.environ.get("RUNTIME_BUILD", "release")
    if kind not in KINDS:
        raise OptionError(f"RUNTIME_BUILD={kind!r} is not a kind of build; choose one of: {', '.join(KINDS)}")
    return kind


class Places:
    """Stable names for folders that stand elsewhere in every build environment while their contents are the same.

    pip unpacks NumPy and Cython into a temporary folder for each build. A dependency below a known folder is
    therefore remembered as ``{numpy}/_core/include/numpy/ndarraytypes.h``, and its contents decide whether it
    changed.

    Parameters
    ----------
    **folders : str or Path
        The known folders by name. One may lie inside another: the innermost gives the name.
    """

    def __init__(self, **folders):
        real = {name: os.path.realpath(folder) for name, folder in folders.items()}
        self._folders = dict(sorted(real.items(), key=lambda item: len(item[1]), reverse=True))

    def name(self, path):
        """The stable name of `path`; the real path itself where no known folder holds it."""
        path = os.path.realpath(path)
        for name, folder in self._folders.items():
            if path == folder or path.startswith(folder + os.sep):
                return "{" + name + "}" + path[len(folder) :]
        return path

    def path(self, name):
        """The path that has this stable name at present: the inverse of `name`."""
        place, brace, rest = name.partition("}")
        return self._folders[place[1:]] + rest if brace and place.startswith("{") else name


@functools.cache
def _digest_of_state(path, mtime, size):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest(path):
    """The SHA-256 of a file's contents as hexadecimal digits, or None if there is no such file."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return _digest_of_state(os.fspath(path), state.st_mtime_ns, state.st_size)


def read_depfile(text):
    """The prerequisites in a dependency file as compilers (``-MD``) and Cython (``--depfile``) write it."""
    _, _, prerequisites = text.replace("\\\n", " ").partition(": ")
    words = re.findall(r"(?:\\[ #]|\S)+", prerequisites)
    return [re.sub(r"\\([ #])", r"\1", word).replace("$$", "$") for word in words]


class Translator:
    """A tool that turns one source into one output, and the cache of its outputs.

    Outputs stand in a folder named after a hash of the tool and its flags, at the path that the source has in the
    project, each with a manifest: the tool's own list of the files it read, system headers included, by stable name
    and contents. The next build takes the output as it is if all of them have the same contents, whatever their times
    and wherever their folders stand now. (A new header that comes earlier in the search path than one of the same
    name goes unnoticed: give headers names of their own.)

    Parameters
    ----------
    label : str
        Readable beginning of the folder's name.
    tool, identity : list of str, str
        The words that start the tool, and what tells it from other versions of it. Only the identity enters the key.
    flags : list of str
        Flags without paths in them.
    includes : list of Path
        Folders for ``-I``, in order.
    depfile_flags : callable
        From the depfile's path to the flags that make the tool write it.
    suffix : str
        Suffix of the outputs.
    places : Places
        Stable names for `includes` and for the dependencies.
    cache, root : Path
        Where the outputs are kept; the project, in which the tool runs, so that paths in its outputs are relative.
    """

    def __init__(self, label, tool, identity, flags, includes, depfile_flags, suffix, places, cache=CACHE, root=ROOT):
        folders = [os.path.relpath(folder, root) if folder.is_relative_to(root) else folder for folder in includes]
        self._command = [*tool, *flags, *(f"-I{folder}" for folder in folders)]
        self._depfile_flags, self._suffix, self._places, self._root = depfile_flags, suffix, places, root
        key = json.dumps([identity, flags, [places.name(i) for i in includes]])
        self._cache = cache
        self._folder = cache / f"{label}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"

    def __call__(self, source):
        """Translate `source` if need be.

        Returns
        -------
        output : Path
        ran : bool
            Whether the tool had to run.

        Raises
        ------
        CompileError
            If the tool fails. Its messages have been printed, and the cache is as it was.
        """
        base = self._cache if source.is_relative_to(self._cache) else self._root
        output = self._folder / source.relative_to(base).with_suffix(self._suffix)
        manifest = output.with_name(output.name + ".json")
        if self._is_current(output, manifest):
            return output, False
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent) as folder:
            made = Path(folder, output.name)
            depfile = Path(f"{made}.dep")
            started = time.time()
            inout = [str(source.relative_to(self._root)), "-o", str(made)]
            command = [*self._command, *self._depfile_flags(depfile), *inout]
            done = subprocess.run(command, cwd=self._root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            print(done.stdout, end="", flush=True)
            if done.returncode:
                raise CompileError(f"{source.relative_to(self._root)} does not compile: {' '.join(command)}")
            read = [os.path.join(self._root, path) for path in read_depfile(depfile.read_text())]
            # A file edited while the tool ran may have been read before the edit: without a manifest the next build
            # decides.
            settled = all(os.stat(path).st_mtime < started for path in read)
            manifest.unlink(missing_ok=True)
            made.replace(output)
            if settled:
                record = Path(folder, manifest.name)
                record.write_text(json.dumps({self._places.name(path): digest(path) for path in read}, indent=0))
                record.replace(manifest)
        return output, True

    def _is_current(self, output, manifest):
        try:
            dependencies = json.loads(manifest.read_text())
        except (OSError, ValueError):
            return False
        return output.exists() and all(digest(self._places.path(name)) == old for name, old in dependencies.items())


def cython_translator(places):
    """From ``.pyx`` to C. Directives are the business of the ``# cython:`` line at the top of ``_core.pyx``."""
    version = importlib.metadata.version("Cython")
    return Translator(
        f"cython-{version}", [sys.executable, "-m", "cython"], version, ["-3", "--module-name", "runtime._core"], [],
        lambda depfile: ["--depfile"], ".c", places,
    )  # fmt: skip


def c_translators(compiler, kind, places, numpy_include):
    """From C to objects: the translator for the core and the one for the kernels.

    `compiler` is the list of words with which Python's build configuration and ``CC``, ``CFLAGS`` and ``CPPFLAGS``
    start the compiler.
    """
    version = subprocess.run([compiler[0], "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    identity = json.dumps([compiler, version, sysconfig.get_config_var("SOABI")])
    python = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
    includes = [ROOT / "include", ROOT, ROOT / "kernels", GENERATED, Path(numpy_include), *map(Path, sorted(python))]
    return [
        Translator(f"{kind}-{part}", compiler, identity, [*COMMON_FLAGS, *flags, "-c"], includes,
                   lambda depfile: ["-MD", "-MF", str(depfile)], ".o", places)
        for part, flags in zip(("core", "kernels"), KINDS[kind][:2], strict=True)
    ]  # fmt: skip


@functools.cache
def generate():
    """Bring ``runtime/_generated/`` up to date; returns the C sources in it.

    The generator is part of the package that is being built, whose ``__init__`` needs the extension module. So it is
    imported below a bare ``runtime`` that is nothing but a path. What it no longer writes is removed, lest it end up
    in a wheel.
    """
    bare = types.ModuleType("runtime")
    bare.__path__ = [str(ROOT / "runtime")]
    sys.modules["runtime"] = bare
    from runtime.torchgen.build import generate as write

    GENERATED.mkdir(exist_ok=True)
    selection = os.environ.get("RUNTIME_OPS")
    if selection and not Path(selection).is_file():
        raise OptionError(f"RUNTIME_OPS={selection!r} is no file with names of operators")
    outputs = {Path(path).resolve() for path in write(ROOT, GENERATED, Path(selection) if selection else None)}
    for path in outputs:
        stub = ROOT / "runtime" / path.name
        if path.suffix == ".pyi" and digest(path) != digest(stub):  # type checkers look beside the modules
            shutil.copyfile(path, stub)
    for path in GENERATED.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.resolve() not in outputs:
            path.unlink()
    return sorted(path for path in outputs if path.suffix == ".c")


def copy_data(root=ROOT, data=DATA):
    """Make `data` hold exactly the files of `root` that match ``DATA_FILES``, at the same relative paths."""
    wanted = {path.relative_to(root) for pattern in DATA_FILES for path in root.glob(pattern) if path.is_file()}
    for path in [path for path in data.rglob("*") if path.is_file() and path.relative_to(data) not in wanted]:
        path.unlink()
    for relative in wanted:
        source, target = root / relative, data / relative
        if digest(source) != digest(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


class BuildPy(build_py):
    """Writes the generated files and ``runtime/_data/`` before the list of files to install is made."""

    def run(self):
        generate()
        copy_data()
        self.__dict__.pop("data_files", None)  # made lazily, perhaps before the files above existed
        staged = Path(self.build_lib).resolve() / "runtime"
        if not self.editable_mode and staged.is_relative_to(ROOT / "build"):
            shutil.rmtree(staged, ignore_errors=True)  # or modules deleted since the last wheel would be in this one
        super().run()


class BuildExt(build_ext):
    """Builds ``runtime._core`` with the translators above; distutils would compile every source anew, one by one."""

    def run(self):
        self._kind = build_kind()
        self._generated = generate()
        copy_data()
        super().run()

    def build_extension(self, ext):
        import Cython
        import numpy

        places = Places(
            project=ROOT,
            python=sysconfig.get_path("include"),
            numpy=Path(numpy.__file__).parent,
            cython=Path(Cython.__file__).parent,
        )
        to_c = cython_translator(places)
        core, kernels = c_translators(self.compiler.compiler_so, self._kind, places, numpy.get_include())

        def compile_one(source):
            if source == CORE:
                source = to_c(source)[0]
            return (kernels if source.is_relative_to(ROOT / "kernels") else core)(source)

        # The core comes first: it takes longest, and the other sources fill the time.
        sources = [CORE, *c_sources(), *self._generated]
        jobs = self.parallel if isinstance(self.parallel, int) and self.parallel > 1 else max(2, os.cpu_count() or 1)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(compile_one, source) for source in sources]
            concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_EXCEPTION)
            pool.shutdown(cancel_futures=True)
        for future in futures:
            if not future.cancelled():
                future.result()
        objects, ran = zip(*(future.result() for future in futures), strict=True)
        print(f"runtime._core ({self._kind}): compiled {sum(ran)} of {len(ran)} sources", flush=True)

        output = self.get_ext_fullpath(ext.name)
        link_flags = ["-pthread", *COLLECT, *KINDS[self._kind][2], *(PACK if self.packs_relocations() else [])]
        self.compiler.link_shared_object(list(map(str, objects)), output, libraries=["m"], extra_postargs=link_flags)

    def packs_relocations(self):
        """Whether the linker packs relocations and the C library reads such (glibc from 2.36 on): in releases only, for their size."""
        if self._kind != "release" or not sys.platform.startswith("linux"):
            return False
        library = re.fullmatch(r"glibc (\d+)\.(\d+).*", os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else "")
        if library is None or (int(library[1]), int(library[2])) < (2, 36):
            return False
        asked = subprocess.run([*self.compiler.linker_so[:1], "-Wl,--help"], capture_output=True, text=True)
        return asked.returncode == 0 and "pack-relative-relocs" in asked.stdout


def c_sources():
    """The C sources under version control."""
    return sorted(path for pattern in C_SOURCES for path in ROOT.glob(pattern))


def packages():
    """Every folder below ``runtime/`` that has an ``__init__.py``."""
    return find_packages(str(ROOT), include=["runtime", "runtime.*"])


def package_data():
    """What a wheel holds besides modules: declarations for compilers, stubs, data; no source that is compiled."""
    return {
        "": ["*.pxd", "*.pyi", "py.typed"],
        "runtime": ["core/*.pxd", "_data/**/*", "_generated/**/*.py"],
    }


def main():
    """Hand the project to setuptools. The extension's lists serve source distributions; `BuildExt` makes its own."""
    os.chdir(ROOT)
    ours = [path for pattern in READ_BY_BUILD for path in ROOT.glob(pattern) if path.is_file()]
    depends = [path for path in ours if not path.is_relative_to(DATA) and not path.is_relative_to(GENERATED)]
    setup(
        packages=packages(),
        package_data=package_data(),
        include_package_data=False,
        ext_modules=[
            Extension(
                "runtime._core",
                sources=[path.relative_to(ROOT).as_posix() for path in [CORE, *c_sources()]],
                depends=sorted({path.relative_to(ROOT).as_posix() for path in depends}),
            )
        ],
        cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
    )


if __name__ == "__main__":
    main()
