"""Kernels of every kind: native functions by address and capsule, typed kernels, C and Cython extensions, Numba; and what is refused."""

import ctypes
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import runtime
from runtime import TypedKernel
from runtime._core import _FunctionPointer
from runtime.inline import NoCompiler, load_c
from tests.libraries import new_library, op_of

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

SOURCE = """
#include "runtime/kernel.h"
#include <time.h>
PyObject *first(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    Py_INCREF(args[0]);
    return args[0];
}
int twice(const rt_view *in, rt_view *out, const rt_scalar *scalars, void *ctx)
{
    if (in[0].dtype != RT_FLOAT32 || !in[0].is_contiguous) return 7;
    for (int64_t i = 0; i < out[0].numel; i++) ((float *)out[0].data)[i] = 2 * ((float *)in[0].data)[i];
    return 0;
}
int describe(const rt_view *in, rt_view *out, const rt_scalar *s, void *ctx)
{
    double *r = out[0].data;
    r[0] = in[0].ndim; r[1] = in[1].ndim; r[2] = s[0].kind; r[3] = s[0].d; r[4] = s[1].kind; r[5] = (double)s[1].i;
    r[6] = s[2].kind; r[7] = s[2].imag; r[8] = ctx != 0;
    return 0;
}
int split(const rt_view *in, rt_view *out, const rt_scalar *s, void *ctx)
{
    for (int64_t i = 0; i < out[0].numel; i++) ((float *)out[0].data)[i] = ((float *)in[0].data)[i];
    for (int64_t i = 0; i < out[1].numel; i++) ((int64_t *)out[1].data)[i] = i;
    return 0;
}
int slow(const rt_view *in, rt_view *out, const rt_scalar *s, void *ctx)
{
    struct timespec t = {0, 200000000};
    nanosleep(&t, NULL);
    return 0;
}
"""


@pytest.fixture(scope="module")
def native():
    try:
        return load_c(SOURCE)
    except NoCompiler as e:
        pytest.skip(str(e))


X = runtime.tensor([1.0, 2.0, 3.0])


def test_a_boxed_function_pointer_of_ctypes_is_a_kernel(native, lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", native.first)
    assert op(X) is X


def test_a_boxed_function_pointer_of_cffi_is_a_kernel(native, lib):
    cffi = pytest.importorskip("cffi")
    address = ctypes.cast(native.first, ctypes.c_void_p).value
    op = op_of(lib, "f(Tensor x) -> Tensor", cffi.FFI().cast("void *(*)(void *)", address))
    assert op(X) is X


def capsule(address, name):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(address, name, None)


_NAME, _WRONG_NAME = b"rt_kernel_fn", b"other"


def test_a_capsule_is_a_kernel_if_it_has_the_right_name(native, lib):
    address = ctypes.cast(native.first, ctypes.c_void_p).value
    op = op_of(lib, "f(Tensor x) -> Tensor", capsule(address, _NAME))
    assert op(X) is X
    lib.define("g(Tensor x) -> Tensor")
    with pytest.raises(ValueError):
        lib.impl("g", capsule(address, _WRONG_NAME), "CPU")


def test_a_typed_kernel_computes_into_an_output_like_an_argument(native, lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", TypedKernel(native.twice, "same_as(0)"))
    assert op(X).tolist() == [2.0, 4.0, 6.0]
    large = runtime.ones(100_000)
    assert bool((op(large) == 2).all())


def test_an_error_code_raises_with_its_message(native, lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", TypedKernel(native.twice, "same_as(0)", errors={7: "only contiguous float32"}))
    with pytest.raises(RuntimeError, match=rf"{lib.ns}::f: the kernel failed with code 7: only contiguous float32"):
        op(X.to(runtime.float64))


def test_numbers_optionals_and_the_context_reach_a_typed_kernel(native, lib):
    def rule(x, y, a, b, c):
        return (9,), runtime.float64

    op = op_of(lib, "f(Tensor x, Tensor? y, float a, int b, Scalar c) -> Tensor", TypedKernel(native.describe, rule, context=1))
    got = op(runtime.ones(2, 2), None, 1.5, 7, 2 + 3j).tolist()
    assert got == [2.0, -1.0, 3.0, 1.5, 2.0, 7.0, 4.0, 3.0, 1.0]


def test_a_shape_rule_may_declare_several_outputs(native, lib):
    kernel = TypedKernel(native.split, lambda x: [(tuple(x.shape), x.dtype), ((2,), runtime.int64)])
    op = op_of(lib, "f(Tensor x) -> (Tensor, Tensor)", kernel)
    a, b = op(X)
    assert a.tolist() == X.tolist() and b.tolist() == [0, 1]


def test_broadcast_allocates_the_broadcast_shape(native, lib):
    op = op_of(lib, "f(Tensor x, Tensor y) -> Tensor", TypedKernel(native.slow, "broadcast"))
    assert op(runtime.ones(3, 1), runtime.ones(1, 4)).shape == (3, 4)
    with pytest.raises(RuntimeError, match="must match the size of tensor"):
        op(runtime.ones(3), runtime.ones(4))


def test_out_arguments_are_the_outputs_of_an_out_kernel(native, lib):
    lib.define("f.out(Tensor x, *, Tensor(a!) out) -> Tensor(a!)")
    lib.impl("f.out", TypedKernel(native.twice, "out"), "CPU")
    out = runtime.empty(3)
    assert getattr(runtime.ops, lib.ns).f.out(X, out=out) is out
    assert out.tolist() == [2.0, 4.0, 6.0]


def test_the_gil_is_released_for_large_work(native, lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", TypedKernel(native.slow, "same_as(0)"))
    large = runtime.ones(100_000)
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(1)
            stop.wait(0.005)

    thread = threading.Thread(target=tick)
    thread.start()
    before = len(ticks)
    op(large)
    progressed = len(ticks) - before
    stop.set()
    thread.join()
    assert progressed >= 5


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda n: TypedKernel(n.twice, "same"), ValueError, "same_as"),
        (lambda n: TypedKernel(0, "same_as(0)"), ValueError, "NULL"),
        (lambda n: TypedKernel(print, "same_as(0)"), TypeError, "native function"),
    ],
)
def test_a_wrong_typed_kernel_is_refused(native, make, error, text):
    with pytest.raises(error, match=text):
        make(native)


def test_a_typed_kernel_is_not_called_directly(native):
    with pytest.raises(TypeError, match="through the operator"):
        TypedKernel(native.twice, "same_as(0)")(X)


def test_a_cpu_kernel_refuses_a_tensor_without_cpu_memory(native, lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", TypedKernel(native.twice, "same_as(0)"), "CompositeExplicitAutograd")
    with pytest.raises(RuntimeError, match="without CPU memory"):
        op(runtime.empty(3, device="meta"))


def test_same_as_names_an_argument_that_exists(native, lib):
    op = op_of(lib, "f(Tensor x) -> Tensor", TypedKernel(native.twice, "same_as(3)"))
    with pytest.raises(RuntimeError, match=r"same_as\(3\)"):
        op(X)


def test_a_kernel_keeps_its_owner_and_frees_it_when_deregistered(native):
    library = new_library()
    kernel = TypedKernel(native.twice, lambda x: (tuple(x.shape), x.dtype))
    count = sys.getrefcount(kernel)
    op_of(library, "f(Tensor x) -> Tensor", kernel)
    assert sys.getrefcount(kernel) > count
    library._destroy()
    assert sys.getrefcount(kernel) == count


@pytest.mark.parametrize(
    "schema, rule, text",
    [
        ("f(Tensor x) -> (Tensor, Tensor)", "same_as(0)", "1 outputs, the operator 2 returns"),
        ("f(Tensor x) -> ()", "same_as(0)", "1 outputs, the operator 0 returns"),
        ("f(Tensor x) -> Tensor[]", "same_as(0)", "returns tensors only"),
        ("f(Tensor x) -> int", "same_as(0)", "returns tensors only"),
        ("f(Tensor x) -> Tensor", "out", "0 outputs, the operator 1 returns"),
        ("f(Tensor x) -> Tensor", lambda x: 3, "shape rule must return"),
        ("f(Tensor x) -> Tensor", lambda x: [], "shape rule must return"),
    ],
)
def test_outputs_that_are_not_the_schemas_are_refused(native, lib, schema, rule, text):
    op = op_of(lib, schema, TypedKernel(native.twice, rule))
    with pytest.raises((RuntimeError, TypeError), match=text):
        op(X)


def test_what_a_shape_rule_raises_reaches_the_caller(native, lib):
    def rule(x):
        raise KeyError("mine")

    op = op_of(lib, "f(Tensor x) -> Tensor", TypedKernel(native.twice, rule))
    with pytest.raises(KeyError, match="mine"):
        op(X)


def test_too_many_tensors_or_numbers_are_refused(native, lib):
    tensors = op_of(lib, "f(Tensor[] x) -> Tensor", TypedKernel(native.slow, "broadcast"))
    numbers = ", ".join(f"int a{i}" for i in range(65))
    many = op_of(lib, f"g(Tensor x, {numbers}) -> Tensor", TypedKernel(native.slow, "same_as(0)"))
    with pytest.raises(RuntimeError, match="too many tensors"):
        tensors([X] * 65)
    with pytest.raises(RuntimeError, match="too many numbers"):
        many(X, *range(65))


def test_null_addresses_are_refused(lib):
    lib.define("f(Tensor x) -> Tensor")
    for null in (ctypes.CFUNCTYPE(ctypes.c_void_p)(0), _FunctionPointer(0)):
        with pytest.raises(ValueError, match="NULL"):
            lib.impl("f", null, "CPU")


def test_a_numba_function_is_no_boxed_kernel(lib):
    numba = pytest.importorskip("numba")
    function = numba.cfunc(numba.types.int32(numba.types.voidptr))(lambda x: 0)
    lib.define("f(Tensor x) -> Tensor")
    with pytest.raises(TypeError, match="register it as a TypedKernel"):
        lib.impl("f", function, "CPU")


def test_a_kernel_that_takes_its_own_registration_back_finishes(native):
    library = new_library()

    def rule(x):
        library._destroy()
        gc.collect()
        return tuple(x.shape), x.dtype

    op = op_of(library, "f(Tensor x) -> Tensor", TypedKernel(native.twice, rule))
    assert op(X).tolist() == [2.0, 4.0, 6.0]
    with pytest.raises(RuntimeError):
        op(X)


def test_a_boxed_native_kernel_gets_arrays_raw_where_it_accepts_them(native, lib):
    numpy = pytest.importorskip("numpy")
    raw = op_of(lib, "f(Tensor x) -> Tensor", native.first, accepts_foreign=True)
    typed = op_of(lib, "g(Tensor x) -> Tensor", TypedKernel(native.twice, "same_as(0)"), accepts_foreign=True)
    a = numpy.ones(2, dtype=numpy.float32)
    assert raw(a) is a
    assert typed(a).tolist() == [2.0, 2.0]


def run(folder, script, env=None):
    return subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, env={**os.environ, **(env or {})}, timeout=300)


@pytest.mark.parametrize("name", ["ctypes_kernel", "python_kernel", "numba_kernel"])
def test_the_example_script_runs(name):
    if name == "numba_kernel":
        pytest.importorskip("numba")
    if name == "ctypes_kernel":
        try:
            load_c("int f(void) { return 0; }")
        except NoCompiler as e:
            pytest.skip(str(e))
    done = run(EXAMPLES.parent, str(EXAMPLES / f"{name}.py"), {"PYTHONPATH": str(EXAMPLES.parent)})
    assert done.returncode == 0, done.stderr
    assert "tensor(" in done.stdout


@pytest.mark.parametrize("name, expected", [("c_extension", "saw: 1"), ("cython_extension", "tensor([0.0000, 0.5000, 1.0000, 1.5000])")])
def test_the_example_extension_builds_registers_and_runs(name, expected, tmp_path):
    pytest.importorskip("setuptools")
    pytest.importorskip("Cython")
    if not (Path(runtime.get_include()) / "runtime" / "runtime.h").exists():
        pytest.skip("the headers have not been copied by a build")
    for file in (EXAMPLES / name).iterdir():
        if file.is_file():
            (tmp_path / file.name).write_text(file.read_text())
    env = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    built = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=tmp_path, capture_output=True, text=True, env=env, timeout=300
    )
    assert built.returncode == 0, built.stderr[-3000:]
    done = run(tmp_path, "use.py", {"PYTHONPATH": str(EXAMPLES.parent)})
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_calls_of_native_kernels_leak_nothing(native, lib):
    boxed = op_of(lib, "f(Tensor x) -> Tensor", native.first)
    typed = op_of(lib, "g(Tensor x) -> Tensor", TypedKernel(native.twice, "same_as(0)"))
    for _ in range(100):
        boxed(X), typed(X)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(5000):
        boxed(X), typed(X)
    gc.collect()
    assert sys.getallocatedblocks() - before < 50
