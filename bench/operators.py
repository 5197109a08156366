"""The rows about operators: pointwise, reductions, products, convolution, indexing, by size and layout; and all operators on 4 elements.

Rows whose operator the package does not have yet are pending, and run as soon as it is there.
"""

import contextlib
import functools
import statistics

import numpy as np

from bench.row import ONE_THREAD, AsFastAsBest, Faster, Row, beside
from runtime.benchmark import Statement, measure

SHAPES = {"1e3": (25, 40), "1e4": (100, 100), "1e5": (250, 400), "1e6": (1000, 1000), "1e7": (2500, 4000)}
QUICK = ("1e3", "1e5")
THREADS = 2


@functools.cache
def _random(shape):
    return np.random.default_rng(0).random(shape, dtype=np.float32) + np.float32(0.5)


@functools.cache
def _mirrored(shape):
    return _random(shape)[::-1].copy()


@functools.cache
def _mask(shape):
    return _random(shape) > 1


def _array(shape, transposed):
    return _random(shape[::-1]).T if transposed else _random(shape)


@contextlib.contextmanager
def matrices(world, shape, transposed=False):
    """Two matrices, the first one transposed or not, and a mask."""
    yield {
        "lib": world.lib,
        "x": world.over(_array(shape, transposed)),
        "y": world.over(_mirrored(shape)),
        "m": world.over(_mask(shape)),
    }


@contextlib.contextmanager
def batches(world, shape):
    """Two stacks of square matrices."""
    yield {"lib": world.lib, "x": world.over(_random(shape)), "y": world.over(_mirrored(shape))}


@contextlib.contextmanager
def images(world, images, weights):
    """A batch of images and a convolution's weights."""
    yield {"lib": world.lib, "x": world.over(_random(images)), "w": world.over(_random(weights))}


@contextlib.contextmanager
def indexed(world):
    """A matrix, indices of its rows (`i`) and of elements along rows (`j`), values, a mask."""
    rng = np.random.default_rng(1)
    shape = (1000, 100)
    yield {
        "lib": world.lib,
        "x": world.over(_random(shape)),
        "y": world.over(_mirrored(shape)),
        "i": world.tensor(rng.permutation(1000)),
        "j": world.tensor(rng.integers(0, 100, shape)),
        "r": world.tensor(np.arange(1000)[:, None]),
        "m": world.over(_mask(shape)),
    }


POINTWISE = [
    ("x + y", beside("x + y", numpy="x + y"), ("add",)),
    ("x * y", beside("x * y", numpy="x * y"), ("mul",)),
    ("exp", beside("lib.exp(x)", numpy="lib.exp(x)"), ("exp",)),
    ("tanh", beside("lib.tanh(x)", numpy="lib.tanh(x)"), ("tanh",)),
    ("where", beside("lib.where(m, x, y)", numpy="lib.where(m, x, y)"), ("where",)),
    ("x < y", beside("x < y", numpy="x < y"), ("lt",)),
    ("x == y", beside("x == y", numpy="x == y"), ("eq",)),
]


def _reductions():
    for name, numpy in (("sum", "x.sum({})"), ("mean", "x.mean({})"), ("amax", "x.max({})"), ("argmax", "x.argmax({})"),
                        ("var", "x.var({}, ddof=1)")):  # fmt: skip
        for part, ours, axis in (("full", "", "axis=None"), ("inner", "dim=1", "axis=1"), ("outer", "dim=0", "axis=0")):
            yield f"{name}, {part}", beside(f"x.{name}({ours})", numpy=numpy.format(axis)), (name,)
    for part, dim in (("inner", 1), ("outer", 0)):
        yield f"softmax, {part}", beside(f"lib.softmax(x, {dim})"), ("softmax",)
    yield "layer_norm, inner", beside("lib.layer_norm(x, x.shape[1:])"), ("layer_norm",)


INDEXING = [
    ("x[i]", beside("x[i]", numpy="x[i]"), ("index",)),
    ("x[m]", beside("x[m]", numpy="x[m]"), ("index",)),
    ("index_select", beside("x.index_select(0, i)", numpy="lib.take(x, i, 0)"), ("index_select",)),
    ("gather", beside("x.gather(1, j)", numpy="lib.take_along_axis(x, j, 1)"), ("gather",)),
    ("scatter_add", beside("x.scatter_add(1, j, y)", numpy="o = x.copy(); lib.add.at(o, (r, j), y)"), ("scatter_add",)),
    ("index_put", beside("x.index_put((i,), y)", numpy="o = x.copy(); o[i] = y"), ("index_put",)),
    ("sort", beside("x.sort(dim=1)"), ("sort",)),
    ("cumsum", beside("x.cumsum(1)", numpy="x.cumsum(axis=1)"), ("cumsum",)),
    ("cat", beside("lib.cat((x, y), 0)", numpy="lib.concatenate((x, y), 0)"), ("cat",)),
    ("nonzero", beside("lib.nonzero(m)", numpy="lib.argwhere(m)"), ("nonzero",)),
]

# ResNet's: the stem, a 3x3 layer of the first stage, a 1x1 layer of a later one.
CONVOLUTIONS = [
    ("7x7 stride 2, 224", (1, 3, 224, 224), (64, 3, 7, 7), "stride=2, padding=3"),
    ("3x3, 56", (1, 64, 56, 56), (64, 64, 3, 3), "padding=1"),
    ("1x1, 14", (1, 256, 14, 14), (1024, 256, 1, 1), ""),
]

UNARY = """neg abs sign exp expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh sqrt rsqrt reciprocal square relu sigmoid
floor ceil round trunc erf isnan isinf isfinite logical_not clone sum mean prod var std amax amin argmax argmin max min all any zeros_like
ones_like empty_like flatten squeeze t nonzero detach""".split()
BINARY = """add sub mul div floor_divide remainder fmod pow maximum minimum eq ne lt le gt ge logical_and logical_or logical_xor dot equal
isclose allclose""".split()
OTHERS = """
a + 1 | 2 * a | a / 2 | a[0] | a[1:3] | a[i] | a[m] | a[0].item() | a.view(2, 2) | a.reshape(2, 2) | a.unsqueeze(0) | a.expand(2, 4)
a.sum(0) | a.mean(0) | a.cumsum(0) | a.cumprod(0) | a.clamp(0, 1) | a.flip(0) | a.repeat(2) | a.chunk(2) | a.split(2) | a.unbind()
a.narrow(0, 1, 2) | a.to(lib.float64) | a.masked_fill(m, 0) | a.index_select(0, i) | a.gather(0, i) | a.sort() | lib.softmax(a, 0)
c.add_(b) | c.mul_(1) | c.fill_(1.5) | c.copy_(b) | lib.cat((a, b)) | lib.stack((a, b)) | lib.where(m, a, b) | lib.zeros(4) | lib.ones(4)
lib.empty(4) | lib.full((4,), 1.5) | lib.arange(4) | lib.mm(q, q) | q @ q | q.t() | q.transpose(0, 1) | q.permute(1, 0) | lib.tril(q)
lib.triu(q) | lib.bmm(q[None], q[None])
"""
OTHERS = [source for line in OTHERS.strip().splitlines() for source in line.split(" | ")]


@contextlib.contextmanager
def four(world):
    """Vectors of 4 elements (`c` is written to), a 2x2 matrix, indices and a mask."""
    yield {
        "lib": world.lib,
        "a": world.tensor(np.array([0.25, 0.5, 0.75, 1.0], np.float32)),
        "b": world.tensor(np.array([1.0, 0.75, 0.5, 0.25], np.float32)),
        "c": world.tensor(np.ones(4, np.float32)),
        "q": world.tensor(np.array([[1, 2], [3, 4]], np.float32)),
        "i": world.tensor(np.array([3, 1, 2, 0])),
        "m": world.tensor(np.array([True, False, True, False])),
    }


def sources():
    """The statements on 4 elements."""
    return [*(f"lib.{name}(a)" for name in UNARY), *(f"lib.{name}(a, b)" for name in BINARY), *OTHERS]


def all_small(worlds, quick):
    """All operators on 4 elements: the times of the one whose ratio is the median."""
    times, missing = {}, []
    with contextlib.ExitStack() as stack:
        names = {column: stack.enter_context(four(worlds[column])) for column in ("ours", "torch") if column in worlds}
        for source in sources():
            statements = {column: Statement(source, space) for column, space in names.items()}
            try:
                statements["ours"].value()
            except Exception:
                # One operator that does not work must not hide the others; the note names it.
                missing.append(source)
                continue
            times[source] = measure(statements, 2 if quick else 7, 0.0005 if quick else 0.004)
    if "torch" not in worlds:
        return {"ours": statistics.median(t["ours"] for t in times.values())}, f"{len(times)} operators"
    ranked = sorted(times, key=lambda source: times[source]["torch"] / times[source]["ours"])
    slowest = ", ".join(f"{s} {times[s]['torch'] / times[s]['ours']:.1f}x" for s in ranked[:6])
    note = f"{len(times)} operators; least: {slowest}" + (f"; do not run: {', '.join(missing)}" if missing else "")
    return times[ranked[len(ranked) // 2]], note


def _threaded(statements):
    return statements | {ONE_THREAD: statements["torch"]}


def _rows():
    for size, shape in SHAPES.items():
        for layout in (False, True):
            for name, statements, requires in POINTWISE:
                yield Row("pointwise", f"{name}, {size}{', transposed' if layout else ''}", (AsFastAsBest(0.9),),
                          functools.partial(matrices, shape=shape, transposed=layout), _threaded(statements), requires=requires, threads=THREADS,
                          quick=size in QUICK)  # fmt: skip
    for size, shape in SHAPES.items():
        for name, statements, requires in _reductions():
            yield Row("reductions", f"{name}, {size}", (AsFastAsBest(0.9),), functools.partial(matrices, shape=shape),
                      _threaded(statements), requires=requires, threads=THREADS, quick=size in QUICK)  # fmt: skip
    for shape in (
        (64, 64),
        (128, 128),
        (256, 256),
        (512, 512),
        (1024, 1024),
        (64, 16, 16),
        (16, 64, 64),
        (8, 256, 256),
    ):
        yield Row("matmul", "x".join(map(str, shape)), (Faster("numpy", 0.95),), functools.partial(batches, shape=shape),
                  beside("x @ y", numpy="x @ y"), requires=("matmul",), quick=shape[-1] <= 256)  # fmt: skip
    for name, shape, weights, options in CONVOLUTIONS:
        yield Row("convolution", f"conv2d {name}", (Faster("torch", 0.7),), functools.partial(images, images=shape, weights=weights),
                  beside(f"lib.conv2d(x, w, {options})"), requires=("conv2d",), threads=THREADS)  # fmt: skip
    yield Row("convolution", "max_pool2d 3x3 stride 2, 112", (Faster("torch", 0.7),),
              functools.partial(images, images=(1, 64, 112, 112), weights=(1,)), beside("lib.max_pool2d(x, 3, 2, 1)"),
              requires=("max_pool2d",), threads=THREADS)  # fmt: skip
    for name, statements, requires in INDEXING:
        yield Row("indexing", name, (AsFastAsBest(0.8),), indexed, _threaded(statements), requires=requires, threads=THREADS)
    yield Row("small", "any operator on 4 elements, median", (Faster("torch", 5),), measured=all_small)


ROWS = list(_rows())
