"""Views and autograd: what is a view of what, and writes through views and to their bases."""

import pytest

import runtime as rt
from tests.programs import Programs, attempt

programs = Programs()


def leaf(m, *values):
    return m.tensor([float(v) for v in values], requires_grad=True)


def facts(m, t, base=None):
    return t._is_view(), t._base is base, attempt(lambda: t._version), t.requires_grad, attempt(lambda: t.is_leaf), attempt(lambda: t.grad_fn)


@programs
def views_and_their_bases(m):
    x = leaf(m, 1, 2, 3, 4)
    y = x * 1
    for v in (y[0], y[1:3], y.view(2, 2), y.t(), y.unsqueeze(0), y.expand(2, 4), y.view(2, 2).t(), y.view(2, 2)[0][1], y.diagonal(0, 0, 0)
              if False else y.squeeze(), y.as_strided((2,), (1,)), y.narrow(0, 1, 2), y.reshape(2, 2), y.unfold(0, 2, 1)):  # fmt: skip
        yield facts(m, v, y)


@programs
def results_that_are_no_views(m):
    x = leaf(m, 1, 2, 3, 4)
    y = x * 1
    for v in (y.clone(), y.contiguous(), y.detach(), y.data, y + 1, y[[0, 1]], y.view(2, 2).t().reshape(4), y.to(m.float64)):
        yield v._is_view(), v._base is None, v is y, v._version


@programs
def views_of_leaves(m):
    x = leaf(m, 1, 2, 3)
    v = x[0:2]
    yield facts(m, v, x)
    yield attempt(v.mul_, 2)
    yield attempt(v.zero_), attempt(v.fill_, 3), attempt(x.__setitem__, 0, 5.0)
    with m.no_grad():
        v.mul_(2)
        yield x, x._version, v._version, facts(m, v, x)
        w = x[1:]
        yield facts(m, w, x)
        w.mul_(3)
    yield x


@programs
def write_to_view_changes_history_of_base(m):
    x = leaf(m, 1, 2, 3)
    y = x.clone()
    v = y[0:2]
    v.mul_(10)
    yield y, v, y.grad_fn, v.grad_fn, y._version, v._version
    y.sum().backward()
    yield x.grad


@programs
def write_to_base_changes_history_of_view(m):
    x = leaf(m, 1, 2, 3)
    y = x.clone()
    v = y[0:2]
    first = v.grad_fn
    y.mul_(10)
    yield v, v.grad_fn, v.grad_fn is first, v._version
    v.sum().backward()
    yield x.grad


@programs
def view_of_view_written(m):
    x = m.arange(6.0).requires_grad_()
    y = x.clone().view(2, 3)
    v = y[1]
    w = v[1:]
    w.mul_(5)
    yield y, v, w, y._base, v.grad_fn, w.grad_fn
    (y.sum() + v.sum() + w.sum()).backward()
    yield x.grad


@programs
def several_writes(m):
    x = m.arange(6.0).requires_grad_()
    y = x * 2
    y[0:2].mul_(2)
    y[1:3].add_(1)
    y[2:4].mul_(3)
    a = y[1:5]
    a[0] = 7
    a[1:2] *= 4
    yield y, y._version
    (y * y).sum().backward()
    yield x.grad


@programs
def write_of_a_differentiable_value(m):
    x, w = m.arange(4.0).requires_grad_(), leaf(m, 5, 6)
    y = x * 2
    y[1:3] = w * 3
    yield y, y.grad_fn, [f and f.name() for f, _ in y.grad_fn.next_functions]
    (y * y).sum().backward()
    yield x.grad, w.grad


@programs
def write_into_tensor_without_grad(m):
    w = leaf(m, 5, 6)
    z = m.zeros(4)
    v = z[1:3]
    v.copy_(w)
    yield z.requires_grad, z.grad_fn, v.requires_grad, v.grad_fn, z
    (z * z).sum().backward()
    yield w.grad


@programs
def other_views_see_a_write(m):
    w = leaf(m, 5, 6)
    z = m.zeros(4)
    a, b = z[0:2], z[2:4]
    b.copy_(w)
    yield a.requires_grad, a.is_leaf, a.grad_fn
    (a.sum() + b.sum() * 2).backward()
    yield w.grad


@programs
def write_below_no_grad(m):
    x = leaf(m, 1, 2, 3)
    y = x * 2
    v = y[0:2]
    with m.no_grad():
        v.mul_(10)
    yield y, y._version, y.grad_fn, v.grad_fn
    y.sum().backward()
    yield x.grad


@programs
def multiple_outputs_refuse_writes(m):
    x = m.arange(6.0).requires_grad_()
    y = x.clone()
    for make in (lambda: y.split(2), lambda: y.chunk(3), lambda: y.unbind(), lambda: y.split([2, 4]), lambda: y.view(2, 3).unbind(1)):
        parts = make()
        yield facts(m, parts[0], y)
        yield attempt(parts[0].mul_, 2), attempt(parts[-1].zero_)
        yield attempt(parts[0].detach().mul_, 2)
    a, b = y.split(3)
    y.mul_(2)
    yield attempt(lambda: a.grad_fn), attempt(lambda: a * 2)
    v = y.split(3)[0].view(3)
    yield attempt(v.mul_, 2)


@programs
def multiple_outputs_without_grad_can_be_written(m):
    y = m.arange(6.0)
    a, b = y.split(3)
    a.mul_(2)
    yield y, a._version, b._version
    w = leaf(m, 1, 2, 3)
    yield attempt(a.copy_, w), attempt(lambda: a.requires_grad)


@programs
def no_grad_views(m):
    x = leaf(m, 1, 2, 3)
    y = x.clone()
    with m.no_grad():
        v = y[0:2]
        yield facts(m, v, y)
    yield facts(m, v, y)
    yield attempt(v.mul_, 2)
    yield y
    with m.no_grad():
        v.mul_(2)
    yield attempt(lambda: v.grad_fn), y
    with m.no_grad():
        u = y[1:]
    y.mul_(3)
    yield attempt(lambda: u.grad_fn), attempt(lambda: u.sum())
    z = m.zeros(3)
    with m.no_grad():
        t = z[0:2]
    yield attempt(t.mul_, 2), attempt(t.copy_, leaf(m, 1, 2))


@programs
def views_made_with_grad_inside_no_grad_chain(m):
    x = leaf(m, 1, 2, 3)
    y = x.clone()
    with m.no_grad():
        v = y[0:2]
    w = v[0:1]
    yield facts(m, w, y), attempt(w.mul_, 2)
    with m.enable_grad():
        u = y[0:2]
    with m.no_grad():
        u.mul_(2)
    yield facts(m, u, y)


@programs
def no_grad_views_of_leaves(m):
    x = leaf(m, 1, 2, 3)
    with m.no_grad():
        v = x[0:2]
    yield facts(m, v, x), attempt(v.mul_, 2), attempt(lambda: (v * 2).sum().backward()), x.grad
    v.requires_grad_(True) if attempt(v.requires_grad_, False) is None else None
    yield attempt(v.requires_grad_, False)


@programs
def inference_views(m):
    x = leaf(m, 1, 2, 3)
    y = x.clone()
    with m.inference_mode():
        v = y[0:2]
        yield v.is_inference(), v._is_view()
        i = m.ones(3)
        iv = i[0:2]
        yield iv.is_inference(), iv._is_view()
    yield attempt(v.mul_, 2), attempt(lambda: v * 2)
    j = i[0:1]
    yield j.is_inference(), j._is_view(), attempt(j.mul_, 2), attempt(lambda: j._version), attempt(lambda: i._version)
    with m.inference_mode():
        i.mul_(2)
        iv.add_(1)
        yield i, attempt(lambda: i._version)


@programs
def complex_views(m):
    x = m.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    y = x * 1
    r = m.view_as_real(y)
    yield facts(m, r, y)
    r.mul_(2)
    yield y, y.grad_fn, r.grad_fn
    r[0, 1] = 5
    yield y
    (y * y.conj()).sum().real.backward()
    yield x.grad
    z = m.arange(8.0).view(2, 2, 2).requires_grad_()
    w = z * 1
    c = m.view_as_complex(w)
    c.mul_(1j)
    yield w
    w.sum().backward()
    yield z.grad


@programs
def real_and_imag_views(m):
    x = m.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    y = x * 1
    y.real.mul_(3)
    y.imag.add_(1)
    yield y, y.grad_fn
    y.abs().sum().backward()
    yield x.grad
    z = x * 1
    z.real = m.tensor([7.0, 8.0])
    yield z


@programs
def conjugate_views(m):
    x = m.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    y = x * 1
    c = y.conj()
    yield facts(m, c, y)
    c.mul_(2j)
    yield y
    (y.real.sum() + c.imag.sum()).backward()
    yield x.grad


@programs
def dtype_views(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    v = y.view(m.int32)
    yield v._is_view(), v._base is y, v.requires_grad, v
    w = m.tensor([1.0, 2.0])
    u = w.view(m.int32)
    u.zero_()
    yield w, w._version, u._is_view(), u._base is w
    b = attempt(lambda: y.view(m.float64))
    yield b if isinstance(b, str) else (b.requires_grad, b.dtype, b._is_view())


@programs
def views_of_detached_tensors(m):
    x = leaf(m, 1, 2, 3)
    y = x * 1
    d = y.detach()
    v = d[0:2]
    yield facts(m, v, d)
    v.mul_(2)
    yield y, y._version, y.grad_fn
    w = leaf(m, 5, 6)
    v.copy_(w)
    yield d.requires_grad, y.requires_grad, d.grad_fn, y.grad_fn
    d.sum().backward()
    yield w.grad, x.grad


@programs
def transposes_and_diagonals_written(m):
    x = m.arange(9.0).view(3, 3).requires_grad_()
    y = x * 1
    y.t()[0].mul_(2)
    y.diagonal().mul_(3)
    y.permute(1, 0)[1:, 1:].add_(1)
    y.select(0, 2).neg_()
    yield y
    (y * y).sum().backward()
    yield x.grad


@programs
def expanded_write_error(m):
    x = leaf(m, 1)
    y = (x * 1).expand(3)
    yield attempt(y.mul_, 2)
    yield attempt(y.zero_)
    yield attempt(y.add_, m.ones(3))


@programs
def overlapping_views(m):
    x = m.arange(6.0).requires_grad_()
    y = x * 1
    a, b = y[0:4], y[2:6]
    a.mul_(2)
    b.mul_(3)
    a.add_(b)
    yield y, a, b
    (a.sum() * 2 + b.sum()).backward()
    yield x.grad


@programs
def hooks_and_copy_slices(m):
    x = m.arange(4.0).requires_grad_()
    y = x * 1
    seen = []
    y.register_hook(lambda g: seen.append(("before", g)))
    v = y[1:3]
    v.register_hook(lambda g: seen.append(("view before", g)))
    v.mul_(10)
    y.register_hook(lambda g: seen.append(("after", g)))
    v.register_hook(lambda g: seen.append(("view after", g)))
    (y.sum() + v.sum() * 2).backward()
    yield seen, x.grad


@programs
def node_hooks_of_copy_slices(m):
    x = m.arange(4.0).requires_grad_()
    y = x * 1
    y[1:3].mul_(10)
    seen = []
    y.grad_fn.register_hook(lambda gi, go: seen.append(("post", gi, go)))
    y.grad_fn.register_prehook(lambda go: seen.append(("pre", go)))
    y.sum().backward()
    yield seen, x.grad, type(y.grad_fn).__name__, y.grad_fn.name()


@programs
def copy_slices_twice_backward(m):
    x = m.arange(4.0).requires_grad_()
    y = x * x
    v = y[1:3]
    v.mul_(v.clone())
    (g,) = m.autograd.grad((y * y).sum(), x, create_graph=True)
    yield g
    g.sum().backward()
    yield x.grad


@programs
def copy_slices_freed(m):
    x = m.arange(4.0).requires_grad_()
    y = x * 1
    y[1:3].exp_()
    y.sum().backward()
    yield attempt(y.sum().backward)
    z = x * 1
    z[1:3].exp_()
    z.sum().backward(retain_graph=True)
    z.sum().backward()
    yield x.grad


@programs
def retain_grad_of_views(m):
    x = m.arange(4.0).requires_grad_()
    y = x * 1
    v = y[1:3]
    v.retain_grad()
    y.retain_grad()
    v.mul_(2)
    (y.sum() + v.sum()).backward()
    yield y.grad, v.grad, x.grad


@programs
def chains_of_views_and_writes(m):
    x = m.arange(24.0).requires_grad_()
    y = x.clone()
    a = y.view(2, 3, 4)
    b = a.transpose(0, 2)
    c = b[1:3].select(1, 1)
    d = c.unsqueeze(0).expand(1, 2, 2)[0]
    c.mul_(3)
    b[0].add_(1)
    d.sub_(2)
    a[1].mul_(a[0].clone())
    yield y, c, d
    (y * y).sum().backward()
    yield x.grad


@programs
def view_functions_in_place(m):
    x = m.arange(6.0).requires_grad_()
    y = (x * 1).view(2, 3)
    yield attempt(lambda: y.t_() is y), y.shape
    z = x * 1
    yield attempt(lambda: z.unsqueeze_(0) is z), z.shape, z.grad_fn
    yield attempt(lambda: z.squeeze_() is z), z.shape, z.grad_fn
    w = (x * 2).view(2, 3)
    w2 = w * 1
    yield attempt(lambda: w2.transpose_(0, 1) is w2), w2.shape, w2.grad_fn
    (w2 * m.arange(6.0).view(3, 2)).sum().backward()
    yield x.grad
    v = x * 1
    yield attempt(v.as_strided_, (2,), (1,)), v.grad_fn
    yield attempt(m.ones(3, requires_grad=True).unsqueeze_, 0)


@programs
def leaf_becomes_part_of_a_graph(m):
    z = m.zeros(3)
    x = leaf(m, 1, 2, 3)
    z.add_(x)
    yield z.is_leaf, z.requires_grad, z.grad_fn
    v = m.zeros(3)
    u = v[0]
    u.add_(x[0] * 2)
    yield v.is_leaf, v.requires_grad, v.grad_fn, u.grad_fn
    (z.sum() + v.sum()).backward()
    yield x.grad


@programs
def base_that_requires_grad_later(m):
    z = m.zeros(4)
    v = z[0:2]
    z.requires_grad_()
    yield v.requires_grad, v.is_leaf, v.grad_fn
    yield attempt(v.mul_, 2)
    y = v * 3
    yield attempt(y.sum().backward), z.grad, v.grad


@programs
def view_that_requires_grad_itself(m):
    z = m.zeros(4)
    v = z[0:2].requires_grad_()
    yield v.is_leaf, v._is_view(), v._base is z, z.requires_grad
    (v * 2).sum().backward()
    yield v.grad
    yield attempt(v.mul_, 2)
    yield attempt(z.mul_, 2), z._version, v._version
    with m.no_grad():
        v.add_(1)
    yield z
    w = leaf(m, 1, 2, 3, 4)
    yield attempt(z.add_, w)
    yield attempt(lambda: v.grad_fn), attempt(lambda: v.requires_grad)


@programs
def views_of_parameters_under_no_grad(m):
    p = m.nn.Parameter(m.arange(6.0).view(2, 3))
    with m.no_grad():
        p[0].fill_(7)
        p.view(-1)[4:].mul_(2)
        p.t()[0] = 1
    yield p, p._version
    (p * p).sum().backward()
    with m.no_grad():
        p.sub_(p.grad)
        p.grad.zero_()
    yield p, p.grad


@programs
def data_and_detach_do_not_share_views(m):
    x = leaf(m, 1, 2, 3)
    y = x * 1
    y.data[0] = 9
    yield y, y._version, y.grad_fn
    y.detach()[1] = 8
    yield y, y._version
    y.sum().backward()
    yield x.grad


@programs
def set_data_of_views(m):
    x = m.zeros(4)
    v = x[0:2]
    v.data = m.ones(2)
    yield v._is_view(), x, v
    v.add_(1)
    yield x, v


@programs
def inputs_of_views_saved(m):
    x = m.arange(4.0).requires_grad_()
    y = x * 1
    a = y[0:2]
    b = a.sin()
    y[3] = 5
    yield attempt(b.sum().backward)
    c = y[0:2] * y[2:4]
    y[0].add_(1)
    yield attempt(c.sum().backward)


@programs
def version_is_shared_by_views(m):
    x = m.zeros(4)
    v = x.view(2, 2)
    w = v[0]
    d = x.detach()
    a = x.data
    w.add_(1)
    yield x._version, v._version, w._version, d._version, a._version
    d.add_(1)
    a.add_(1)
    yield x._version, v._version, w._version, d._version, a._version
    x[0] = 1
    x += 1
    x.zero_()
    yield x._version


@programs
def custom_function_and_views(m):
    class Identity(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class View(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view(-1)

        @staticmethod
        def backward(ctx, g):
            return g.view(2, 2) * 2

    x = m.ones(2, 2, requires_grad=True)
    y = Identity.apply(x)
    yield y is x, y._is_view(), y._base is x, y.grad_fn, attempt(y.mul_, 2)
    z = View.apply(x.clone())
    yield z._is_view(), z.grad_fn, attempt(z.mul_, 2)
    b = x.clone()
    v = View.apply(b)
    b.mul_(2)
    yield attempt(lambda: v.grad_fn), attempt(v.sum)
    w = Identity.apply(m.ones(2))
    yield w._is_view(), w.requires_grad, attempt(w.mul_, 2)


@programs
def fill_and_zero_of_views(m):
    x = m.arange(6.0).requires_grad_()
    y = x * 2
    y[0:2].zero_()
    y[2:3].fill_(7)
    y[3:4] = m.tensor(8.0)
    y[4].masked_fill_(m.tensor(True), 2.0)
    yield y
    (y * y).sum().backward()
    yield x.grad


@programs
def advanced_writes(m):
    x = m.arange(6.0).requires_grad_()
    w = leaf(m, 10, 20)
    y = x * 2
    y[[0, 2]] = w
    y[y > 8] = 0
    y[m.tensor([1, 4])] += 1
    yield y, y.grad_fn
    (y * y).sum().backward()
    yield x.grad, w.grad
    z = (x * 2).view(2, 3)
    z[:, [0, 1]] = w
    z[1, ...] = z[0].clone()
    z[..., None][0] = 1
    yield z
    z.sum().backward()
    yield x.grad, w.grad


@programs
def setitem_forms(m):
    x = m.arange(12.0).view(3, 4).requires_grad_()
    y = x * 1
    y[0] = 1
    y[1, 2] = m.tensor(3.0)
    y[:, 1] = m.tensor([1.0, 2.0, 3.0])
    y[1:, ::2] = 5
    y[...] = y * 2
    y[None, 2] = 0
    yield y, y._version
    y.sum().backward()
    yield x.grad


@programs
def reshapes_of_written_tensors(m):
    x = m.arange(6.0).requires_grad_()
    y = x * 1
    v = y.reshape(2, 3)
    w = y.view(3, 2).t().reshape(6)
    y.mul_(2)
    yield v, w, v.grad_fn, w.grad_fn
    (v.sum() + w.sum()).backward()
    yield x.grad


@programs
def deep_chain_of_writes(m):
    x = m.arange(4.0).requires_grad_()
    y = x * 1
    for i in range(300):
        y[i % 4].mul_(1.0)
        y.add_(0.0)
    y.sum().backward()
    yield x.grad, y._version


@programs
def writes_by_views_of_several_levels_under_create_graph(m):
    x = m.arange(1.0, 5.0).requires_grad_()
    y = x**2
    v = y.view(2, 2)
    v[0].mul_(x[2:])
    v.t()[1].add_(x[:2] ** 2)
    (g,) = m.autograd.grad(y.prod(), x, create_graph=True)
    yield g
    (h,) = m.autograd.grad(g.sum(), x)
    yield h


@programs
def squeeze_and_broadcast_views(m):
    x = leaf(m, 1, 2).view(2, 1)
    y = x * 1
    v = y.squeeze(1)
    v.mul_(3)
    w = m.broadcast_to(y, (2, 3))
    yield y, w._is_view(), w._base is y
    yield m.autograd.grad(w.sum(), x)


@programs
def movedim_and_swap(m):
    x = m.arange(6.0).view(1, 2, 3).requires_grad_()
    y = x * 1
    for v in (y.movedim(0, 2), y.swapaxes(0, 1), y.swapdims(1, 2), y.flatten(), y.ravel(), y.view_as(y), y.unflatten(2, (3, 1)), y.mT,
              y.permute(2, 0, 1), y.expand_as(y), y.select(1, 0), y.narrow(2, 0, 2)):  # fmt: skip
        yield facts(m, v, y)


@programs
def version_after_failed_write(m):
    x = leaf(m, 1, 2)
    y = x * 1
    yield attempt(y.add_, m.ones(3)), y._version, y.grad_fn
    yield attempt(y.copy_, m.ones(3)), y._version


@programs
def views_can_remember_their_operators(m):
    for remember in (False, True):
        with m.autograd.grad_mode._force_original_view_tracking(remember):
            y = leaf(m, 1, 2, 3, 4) * 1
            v, w = y[1:3], y.view(2, 2).t()
        y.mul_(2)
        v.add_(1)
        yield remember, v.grad_fn.name(), w.grad_fn.name(), v, w
        yield m.autograd.grad(w.sum() * v.sum(), y)


def test_versions_of_inference_tensors_cannot_be_set():
    with rt.inference_mode():
        x = rt.ones(1)
    with pytest.raises(RuntimeError, match="does not have a version counter. Was it created in inference mode"):
        rt._core._unsafe_set_version_counter((x,), (1,))


@pytest.mark.oracle
@pytest.mark.parametrize("name", programs)
def test_as_pytorch(name):
    pytest.importorskip("torch")
    programs.compare(name)


@pytest.mark.oracle
def test_random_programs_do_as_pytorch():
    pytest.importorskip("torch")
    from tests.autograd_fuzz import compare

    for seed in range(60):
        got, want = compare(seed)
        assert got == want, f"seed {seed}"
