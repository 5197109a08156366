"""The build: what is compiled again and what is not, and what a wheel holds.

The quick tests load ``setup.py`` as a module and run its parts on small trees. The slow ones let pip build, in fresh
virtual environments: a miniature project with this project's own ``setup.py`` and ``pyproject.toml``, then the project.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest
from setuptools.errors import CompileError, OptionError

ROOT = Path(__file__).resolve().parent.parent
COMPILER = (sysconfig.get_config_var("CC") or "cc").split()

needs_compiler = pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason="no C compiler")


@pytest.fixture(scope="module")
def build():
    """``setup.py`` as a module; importing it must not build anything."""
    spec = importlib.util.spec_from_file_location("project_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Choice of the kind of build


def test_an_unknown_kind_of_build_is_refused_with_the_choices(build, monkeypatch):
    monkeypatch.setenv("RUNTIME_BUILD", "fast")
    with pytest.raises(OptionError, match="'fast'.*release, debug, sanitize"):
        build.build_kind()


def test_the_default_kind_of_build_is_release(build, monkeypatch):
    monkeypatch.delenv("RUNTIME_BUILD", raising=False)
    assert build.build_kind() == "release"


# Dependency files and stable names


@pytest.mark.parametrize(
    "text, prerequisites",
    [
        ("a.o: a.c b.h\n", ["a.c", "b.h"]),
        ("a.o: a.c \\\n  b.h \\\n /usr/c.h\n", ["a.c", "b.h", "/usr/c.h"]),
        ("out dir/a.c: \\\n  with\\ space.pxd \\\n  plain.pxi\n", ["with space.pxd", "plain.pxi"]),
        ("a.o: cost$$.h sharp\\#.h\n", ["cost$.h", "sharp#.h"]),
        ("a.o:  \\\n", []),
    ],
)
def test_dependency_files_are_read_with_their_escapes(build, text, prerequisites):
    assert build.read_depfile(text) == prerequisites


def test_a_name_does_not_depend_on_where_the_folder_stands(build, tmp_path):
    first = build.Places(project=tmp_path / "p", numpy=tmp_path / "env1" / "numpy")
    second = build.Places(project=tmp_path / "p", numpy=tmp_path / "env2" / "numpy")
    name = first.name(tmp_path / "env1" / "numpy" / "x.h")
    assert name == second.name(tmp_path / "env2" / "numpy" / "x.h") == "{numpy}/x.h"
    assert second.path(name) == str(tmp_path.resolve() / "env2" / "numpy" / "x.h")


def test_the_innermost_folder_gives_the_name(build, tmp_path):
    places = build.Places(project=tmp_path, numpy=tmp_path / ".venv" / "numpy")
    assert places.name(tmp_path / ".venv" / "numpy" / "x.h") == "{numpy}/x.h"
    assert places.name(tmp_path / ".venv" / "y.h") == "{project}/.venv/y.h"


def test_a_folder_whose_name_begins_like_a_known_one_is_not_inside_it(build, tmp_path):
    path = os.path.realpath(tmp_path / "numpy2" / "x.h")
    places = build.Places(numpy=tmp_path / "numpy")
    assert places.name(path) == path
    assert places.path(path) == path


# The cache of outputs


class Tree:
    """A project of one C file that reads ``own.h`` beside it and ``theirs.h`` from a folder outside."""

    def __init__(self, build, folder):
        self.build, self.root, self.headers = build, folder / "project", folder / "env1"
        self.write(self.root / "a.c", '#include "own.h"\n#include "theirs.h"\nint f(void) { return OWN + THEIRS; }\n')
        self.write(self.root / "own.h", "#define OWN 1\n")
        self.write(self.headers / "theirs.h", "#define THEIRS 2\n")

    def write(self, path, text):
        """Write a file as if it had lain there for a while: what changes during a translation is not trusted."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (time.time() - 60,) * 2)

    def translate(self, flags=("-c",), source="a.c"):
        translate = self.build.Translator(
            "test", COMPILER, "some compiler", list(flags), [self.headers],
            lambda depfile: ["-MD", "-MF", str(depfile)], ".o",
            self.build.Places(project=self.root, theirs=self.headers),
            cache=self.root / "build", root=self.root,
        )  # fmt: skip
        return translate(self.root / source)


@pytest.fixture
def tree(build, tmp_path):
    return Tree(build, tmp_path)


@needs_compiler
def test_a_second_build_takes_the_first_ones_object(tree):
    first, ran = tree.translate()
    assert ran and first.stat().st_size > 0
    assert tree.translate() == (first, False)


@needs_compiler
def test_new_times_with_old_contents_compile_nothing(tree):
    tree.translate()
    for path in (tree.root / "a.c", tree.root / "own.h", tree.headers / "theirs.h"):
        os.utime(path)
    assert not tree.translate()[1]


@needs_compiler
@pytest.mark.parametrize("name", ["project/a.c", "project/own.h", "env1/theirs.h"])
def test_new_contents_of_anything_that_was_read_compile_again(tree, name):
    tree.translate()
    path = tree.root.parent / name
    tree.write(path, path.read_text() + "\n")
    assert tree.translate()[1]
    assert not tree.translate()[1]


@needs_compiler
def test_only_the_file_that_reads_a_changed_header_is_compiled_again(tree):
    tree.write(tree.root / "sub" / "b.c", "int g(void) { return 3; }\n")
    tree.translate()
    tree.translate(source="sub/b.c")
    tree.write(tree.root / "own.h", "#define OWN 4\n")
    assert not tree.translate(source="sub/b.c")[1]
    assert tree.translate()[1]


@needs_compiler
def test_the_same_headers_in_another_folder_compile_nothing(tree):
    tree.translate()
    tree.headers = tree.headers.rename(tree.headers.with_name("env2"))
    assert not tree.translate()[1]
    tree.write(tree.headers / "theirs.h", "#define THEIRS 5\n")
    assert tree.translate()[1]


@needs_compiler
def test_a_header_that_is_gone_compiles_again(tree):
    tree.translate()
    (tree.root / "own.h").unlink()
    tree.write(tree.headers / "own.h", "#define OWN 1\n")
    assert tree.translate()[1]


@needs_compiler
def test_other_flags_have_an_object_of_their_own(tree):
    plain, _ = tree.translate()
    optimized, ran = tree.translate(flags=("-O1", "-c"))
    assert ran and optimized != plain
    assert tree.translate() == (plain, False)


@needs_compiler
def test_a_lost_object_is_made_again(tree):
    tree.translate()[0].unlink()
    assert tree.translate()[1]


@needs_compiler
def test_a_damaged_manifest_is_no_manifest(tree):
    output, _ = tree.translate()
    output.with_name(output.name + ".json").write_text('{"{project}/a.c": ')
    assert tree.translate()[1]


@needs_compiler
def test_a_source_that_changed_while_it_was_read_is_compiled_again(tree):
    os.utime(tree.root / "own.h", (time.time() + 60,) * 2)
    assert tree.translate()[1]
    assert tree.translate()[1]


@needs_compiler
def test_a_failure_shows_the_compilers_words_and_is_not_cached(tree, capfd):
    tree.translate()
    tree.write(tree.root / "own.h", "#error broken on purpose\n")
    for _ in range(2):
        with pytest.raises(CompileError, match=r"a\.c"):
            tree.translate()
        assert "broken on purpose" in capfd.readouterr().out
    tree.write(tree.root / "own.h", "#define OWN 1\n")
    assert not tree.translate()[1]
    assert not [path for path in (tree.root / "build").rglob("*") if "tmp" in path.name]


# Data files and packages


def test_data_is_a_copy_without_leftovers(build, tmp_path):
    names = ["include/runtime/a.h", "kernels/ops.yaml", "kernels/cuda/k.cu", "kernels/cuda/k.cuh", "kernels/cpu/k.c"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    data = tmp_path / "data"

    def copied():
        build.copy_data(tmp_path, data)
        return {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}

    assert copied() == {"include/runtime/a.h", "kernels/ops.yaml", "kernels/cuda/k.cu", "kernels/cuda/k.cuh"}
    before = (data / "kernels/ops.yaml").stat().st_mtime_ns
    (tmp_path / "include/runtime/a.h").unlink()
    (tmp_path / "kernels/cuda/k.cu").write_text("changed")
    assert copied() == {"kernels/ops.yaml", "kernels/cuda/k.cu", "kernels/cuda/k.cuh"}
    assert (data / "kernels/cuda/k.cu").read_text() == "changed"
    assert (data / "kernels/ops.yaml").stat().st_mtime_ns == before


def test_every_folder_with_modules_is_a_package(build):
    modules = [path for path in (ROOT / "runtime").rglob("*.py") if "_generated" not in path.parts]
    folders = {".".join(path.relative_to(ROOT).parent.parts) for path in modules}
    assert folders == set(build.packages())


def test_what_is_compiled_is_not_package_data(build):
    patterns = [pattern for patterns in build.package_data().values() for pattern in patterns]
    assert not [pattern for pattern in patterns if pattern.endswith((".c", ".pyx", ".pxi"))]


# Whole builds by pip

MINIATURE = {
    "README.md": "A miniature.\n",
    "include/runtime/keys.h": "#define RT_TWO 2\n",
    "kernels/native_functions.yaml": "[]\n",
    "kernels/cpu/add.h": "int rt_add(int a, int b);\n",
    "kernels/cpu/add.c": '#include "cpu/add.h"\nint rt_add(int a, int b) { return a + b; }\n',
    "runtime/__init__.py": "from runtime._core import add, generated, twice\n",
    "runtime/_core.pyx": 'cimport numpy as cnp\ninclude "core/part.pxi"\ncnp.import_array()\n',
    "runtime/core/part.pxi": (
        'cdef extern from "runtime/keys.h":\n    int RT_TWO\n'
        'cdef extern from "cpu/add.h":\n    int rt_add(int a, int b)\n'
        'cdef extern from "made.h":\n    int rt_made()\n'
        "def twice(int x): return RT_TWO * x\ndef add(int a, int b): return rt_add(a, b)\n"
        "def generated(): return rt_made()\n"
    ),
    "runtime/torchgen/__init__.py": "",
    "runtime/torchgen/build.py": (
        "TEXTS = {'made.h': 'int rt_made(void);', 'made.c': 'int rt_made(void) { return 7; }', 'names.py': ''}\n"
        "def generate(root, out, selection):\n"
        "    for name, text in TEXTS.items():\n"
        "        if not (out / name).exists() or (out / name).read_text() != text:\n"
        "            (out / name).write_text(text)\n"
        "    return [out / name for name in TEXTS]\n"
    ),
}


class Environment:
    """A fresh virtual environment."""

    def __init__(self, folder):
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        self.python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"

    def run(self, *words, cwd, check=True, **environment):
        """The output of ``python *words``; the tests' own environment has no influence on the build."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RUNTIME_"))}
        done = subprocess.run(
            [str(self.python), *words], cwd=cwd, env={**inherited, **environment}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def pip(self, *words, cwd, **keywords):
        """Run pip; returns how many of how many sources were compiled, else the output."""
        output = self.run("-m", "pip", *words, cwd=cwd, **keywords)
        counts = re.search(r"compiled (\d+) of (\d+) sources", output)
        return tuple(map(int, counts.groups())) if counts else output


@pytest.fixture
def miniature(tmp_path):
    project = tmp_path / "project"
    for name, text in MINIATURE.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    return project


@pytest.mark.slow
@needs_compiler
def test_builds_of_every_sort_share_their_objects(miniature, tmp_path):
    first, second = Environment(tmp_path / "first"), Environment(tmp_path / "second")
    editable = ["install", "-v", "--no-deps", "-e"]
    assert first.pip(*editable, ".", cwd=miniature) == (3, 3)
    assert first.pip(*editable, ".[test]", cwd=miniature) == (0, 3)
    assert second.pip("install", "-v", "--no-deps", ".", cwd=miniature) == (0, 3)
    kernel = miniature / "kernels/cpu/add.c"
    kernel.write_text(kernel.read_text().replace("a + b", "a - b"))
    assert first.pip(*editable, ".", cwd=miniature) == (1, 3)

    check = "import runtime; print(runtime.twice(4), runtime.add(5, 2), runtime.generated(), runtime.__file__)"
    for environment, answer, place in ((first, "8 3 7", miniature), (second, "8 7 7", tmp_path / "second")):
        environment.run("-m", "pip", "install", "-q", "numpy>=2", cwd=tmp_path)
        output = environment.run("-c", check, cwd=tmp_path)
        assert output.startswith(f"{answer} {place.resolve()}")


@pytest.mark.slow
@needs_compiler
def test_a_wheel_holds_no_leftovers_and_no_sources(miniature, tmp_path):
    def contents():
        shutil.rmtree(tmp_path / "wheels", ignore_errors=True)
        environment.pip("wheel", "-v", "--no-deps", "-w", str(tmp_path / "wheels"), ".", cwd=miniature)
        (wheel,) = (tmp_path / "wheels").iterdir()
        return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info" not in name}

    environment = Environment(tmp_path / "environment")
    extension = f"runtime/_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    wanted = {
        "runtime/__init__.py", extension, "runtime/_generated/names.py", "runtime/_data/include/runtime/keys.h",
        "runtime/_data/kernels/native_functions.yaml", "runtime/torchgen/__init__.py", "runtime/torchgen/build.py",
    }  # fmt: skip
    assert contents() == wanted
    generator = miniature / "runtime/torchgen/build.py"
    generator.write_text(generator.read_text().replace("names.py", "others.py"))
    (miniature / "runtime/extra.py").touch()
    assert contents() == wanted - {"runtime/_generated/names.py"} | {"runtime/_generated/others.py", "runtime/extra.py"}
    (miniature / "runtime/extra.py").unlink()
    assert contents() == wanted - {"runtime/_generated/names.py"} | {"runtime/_generated/others.py"}


@pytest.mark.slow
@needs_compiler
def test_a_source_distribution_builds(miniature, tmp_path):
    environment = Environment(tmp_path / "environment")
    environment.run("-m", "pip", "install", "-q", "setuptools>=77", "Cython>=3.1", "numpy>=2", "PyYAML", cwd=tmp_path)
    environment.run("setup.py", "sdist", "-d", str(tmp_path / "dist"), cwd=miniature)
    (archive,) = (tmp_path / "dist").iterdir()
    assert environment.pip("install", "-v", "--no-deps", str(archive), cwd=tmp_path) == (3, 3)
    assert environment.run("-c", "import runtime; print(runtime.twice(4))", cwd=tmp_path) == "8\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, text, message",
    [
        ("runtime/torchgen/build.py", "raise ValueError('bad yaml, line 3')\n", "bad yaml, line 3"),
        ("runtime/torchgen/build.py", None, "No module named 'runtime.torchgen.build'"),
        ("kernels/cpu/add.c", "#error broken on purpose\n", "kernels/cpu/add.c does not compile"),
        ("runtime/core/part.pxi", "cdef nonsense here\n", "runtime/_core.pyx does not compile"),
    ],
)
def test_a_failing_step_stops_the_build(miniature, tmp_path, name, text, message):
    (miniature / name).unlink()
    if text is not None:
        (miniature / name).write_text(text)
    output = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"], cwd=miniature, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert output.returncode != 0 and message in output.stdout
    assert not list((miniature / "runtime").glob("_core*.so"))


@pytest.mark.slow
@needs_compiler
def test_the_projects_wheel_imports_in_a_fresh_environment(tmp_path):
    environment = Environment(tmp_path / "environment")
    environment.pip("wheel", "-v", "--no-deps", "-w", str(tmp_path / "wheels"), ".", cwd=ROOT)
    (wheel,) = (tmp_path / "wheels").iterdir()
    members = zipfile.ZipFile(wheel).infolist()
    assert not [m.filename for m in members if m.filename.endswith((".c", ".pyx", ".pxi"))]
    assert sum(member.file_size for member in members) <= 12e6
    environment.run("-m", "pip", "install", "-q", str(wheel), cwd=tmp_path)
    output = environment.run("-c", "import runtime._core; print(runtime._core.__file__)", cwd=tmp_path)
    assert Path(output.strip()).is_relative_to((tmp_path / "environment").resolve())
    data = {m.filename.removeprefix("runtime/_data/") for m in members if m.filename.startswith("runtime/_data/")}
    headers = {path.relative_to(ROOT).as_posix() for path in (ROOT / "include").rglob("*.h")}
    assert headers | {"kernels/native_functions.yaml"} <= data
