"""Writes in place: leaves, versions, saved tensors and formulas."""

import pytest

from tests.programs import Programs, attempt

programs = Programs()


def leaf(m, *values):
    return m.tensor([float(v) for v in values], requires_grad=True)


@programs
def leaves_refuse_writes(m):
    x = leaf(m, 1, 2)
    for write in (lambda: x.add_(1), lambda: x.mul_(x), lambda: x.zero_(), lambda: x.copy_(m.ones(2)), lambda: x.fill_(1), lambda: x.exp_(),
                  lambda: x.clamp_(0), lambda: x.__setitem__(0, 1), lambda: x.masked_fill_(x > 1, 0), lambda: x.t_(),
                  lambda: x.index_fill_(0, m.tensor([0]), 1), lambda: x.normal_(), lambda: x.squeeze_(), lambda: x.resize_(3)):  # fmt: skip
        yield attempt(write)
    yield x._version


@programs
def augmented_assignment(m):
    x = leaf(m, 1, 2)
    y = x * 2
    z = y
    y += x
    y *= 2
    y -= 1
    y /= 4
    yield y is z, y, y._version, y.grad_fn
    y.sum().backward()
    yield x.grad
    w = m.ones(2)
    w += x
    yield w.requires_grad, w.is_leaf


@programs
def in_place_operators_return_self(m):
    x = leaf(m, 1, 2)
    for name, args in (("add_", (1,)), ("mul_", (2,)), ("sub_", (1,)), ("div_", (2,)), ("neg_", ()), ("exp_", ()), ("tanh_", ()),
                       ("relu_", ()), ("clamp_", (0, 1)), ("zero_", ()), ("fill_", (3,)), ("sigmoid_", ()), ("pow_", (2,)), ("sqrt_", ()),
                       ("abs_", ()), ("sin_", ()), ("copy_", (m.ones(2),)), ("masked_fill_", (m.tensor([True, False]), 0.0)),
                       ("index_fill_", (0, m.tensor([0]), 2.0)), ("square_", ()), ("reciprocal_", ())):  # fmt: skip
        y = x * 1
        r = getattr(y, name)(*args)
        yield name, r is y, y._version, y, y.grad_fn
        (g,) = m.autograd.grad(y.sum(), x)
        yield g


@programs
def saved_result_modified(m):
    x = leaf(m, 1, 2)
    for name in ("exp", "tanh", "sigmoid", "sqrt", "relu", "reciprocal", "softmax"):
        y = getattr(x, name)(0) if name == "softmax" else getattr(x, name)()
        y.add_(1)
        yield name, attempt(y.sum().backward)


@programs
def saved_input_modified(m):
    x = leaf(m, 1, 2)
    for name in ("sin", "log", "cos", "abs", "square", "erf"):
        a = x * 1
        y = getattr(a, name)()
        a.add_(1)
        yield name, attempt(y.sum().backward)


@programs
def unsaved_may_be_modified(m):
    x = leaf(m, 1, 2)
    a = x * 1
    y = a + 2
    a.mul_(3)
    z = -a
    a.zero_()
    (y.sum() + z.sum() + a.sum()).backward()
    yield x.grad


@programs
def only_wanted_gradients_save(m):
    x, c = leaf(m, 1, 2), m.ones(2)
    y = x * 1
    z = y * c
    y.add_(1)
    z.sum().backward()
    yield x.grad
    w = x * c
    c.add_(1)
    yield attempt(w.sum().backward)


@programs
def versions_count_writes(m):
    x = m.zeros(3)
    yield x._version
    x.add_(1)
    x.mul_(2)
    x[0] = 1
    yield x._version
    m.add(x, x, out=x)
    yield x._version
    x.data.add_(1)
    yield x._version
    x.detach().add_(1)
    yield x._version
    x.requires_grad_()
    yield x._version
    with m.no_grad():
        x.add_(1)
    yield x._version
    x.resize_(3) if False else None
    y = m.empty(3).uniform_()
    yield y._version
    yield attempt(setattr, y, "_version", 3)


@programs
def bump_of_versions_by_hand(m):
    x = m.zeros(3)
    y = m.zeros(3)
    bump = m.autograd.graph.increment_version
    bump(x)
    yield x._version
    bump([x, y])
    yield x._version, y._version


@programs
def preserved_versions(m):
    x = m.zeros(3)
    keep = m.autograd._unsafe_preserve_version_counter
    with keep(x):
        x.add_(1)
    yield x._version


@programs
def write_to_grad(m):
    x = leaf(m, 1, 2)
    (x * x).sum().backward()
    x.grad.mul_(2)
    yield x.grad
    x.grad.zero_()
    yield x.grad, x.grad._version
    x.grad.data.add_(3)
    yield x.grad


@programs
def copy_between_dtypes(m):
    x = leaf(m, 1, 2)
    y = m.zeros(2, dtype=m.float64)
    y.copy_(x)
    yield y, y.grad_fn
    y.sum().backward()
    yield x.grad
    i = m.zeros(2, dtype=m.int64)
    yield attempt(i.copy_, x), i.requires_grad
    z = m.zeros(3, 2)
    z.copy_(x)
    yield z
    z.sum().backward()
    yield x.grad
    s = x * 1
    s.copy_(m.tensor(5.0))
    yield m.autograd.grad(s.sum(), x)


@programs
def copy_of_self(m):
    x = leaf(m, 1, 2)
    y = x * 1
    yield y.copy_(y) is y, y._version
    y.sum().backward()
    yield x.grad


@programs
def fill_with_tensors(m):
    x, v = leaf(m, 1, 2), m.tensor(3.0, requires_grad=True)
    y = x * 1
    y.fill_(v)
    y.sum().backward()
    yield y, x.grad, v.grad
    z = x * 1
    z.masked_fill_(m.tensor([True, False]), v)
    z.sum().backward()
    yield z, x.grad, v.grad
    yield attempt(lambda: (x * 1).fill_(m.ones(2)))


@programs
def index_writes(m):
    x, v = m.arange(4.0).requires_grad_(), leaf(m, 7, 8)
    i = m.tensor([0, 2])
    for write in (lambda y: y.index_put_((i,), v), lambda y: y.index_put_((i,), v, accumulate=True), lambda y: y.index_add_(0, i, v),
                  lambda y: y.index_copy_(0, i, v), lambda y: y.scatter_(0, i, v), lambda y: y.scatter_add_(0, i, v),
                  lambda y: y.masked_scatter_(m.tensor([True, False, True, False]), v), lambda y: y.index_fill_(0, i, 3.0),
                  lambda y: y.put_(i, v), lambda y: y.scatter_(0, i, 2.0)):  # fmt: skip
        y = x * 2
        write(y)
        yield y, y.grad_fn
        yield m.autograd.grad((y * y).sum(), [x, v], allow_unused=True)


@programs
def writes_with_broadcasting(m):
    x, w = m.ones(2, 3, requires_grad=True), leaf(m, 1, 2, 3)
    y = x * 1
    y.mul_(w)
    y.add_(w, alpha=2)
    y.sum().backward()
    yield x.grad, w.grad
    z = w * 1
    yield attempt(z.add_, x), z._version


@programs
def write_that_changes_what_requires_grad(m):
    x = leaf(m, 1, 2)
    c = m.ones(2)
    d = c * 2
    c.mul_(x)
    yield c.requires_grad, d.requires_grad
    e = c.detach()
    e.add_(1)
    yield attempt(c.sum().backward), x.grad


@programs
def dtype_of_writes(m):
    x = leaf(m, 1, 2)
    i = m.ones(2, dtype=m.int64)
    yield attempt(i.add_, x), attempt(i.mul_, 1.5)
    d = m.ones(2, dtype=m.float64)
    d.mul_(x)
    yield d
    d.sum().backward()
    yield x.grad
    y = x * 1
    y.add_(m.ones(2, dtype=m.float64, requires_grad=True))
    yield y
    c = m.ones(2, dtype=m.complex64)
    c.mul_(x)
    c.abs().sum().backward()
    yield x.grad
    yield attempt((x * 1).mul_, m.ones(2, dtype=m.complex64))


@programs
def foreach_functions(m):
    xs = [leaf(m, 1, 2), leaf(m, 3)]
    for name, args in (("_foreach_add", (1.0,)), ("_foreach_mul", ([2.0, 3.0],)), ("_foreach_exp", ()), ("_foreach_sqrt", ()),
                       ("_foreach_neg", ()), ("_foreach_add", (xs,)), ("_foreach_mul", (xs,)), ("_foreach_div", (xs,)),
                       ("_foreach_sub", (2.0,)), ("_foreach_tanh", ())):  # fmt: skip
        ys = getattr(m, name)(xs, *args)
        yield name, [y.detach() for y in ys]
        yield m.autograd.grad(sum(y.sum() for y in ys), xs)
    yield [y.detach() for y in m._foreach_norm(xs)]
    ys = m._foreach_addcmul(xs, xs, xs, value=2.0)
    yield m.autograd.grad(sum(y.sum() for y in ys), xs)
    ys = m._foreach_lerp(xs, [x * 2 for x in xs], 0.5)
    yield m.autograd.grad(sum(y.sum() for y in ys), xs)


@programs
def foreach_functions_in_place(m):
    xs = [leaf(m, 1, 2), leaf(m, 3)]
    ys = [x * 1 for x in xs]
    m._foreach_mul_(ys, xs)
    m._foreach_add_(ys, 1.0)
    m._foreach_exp_(ys)
    yield [y.detach() for y in ys], [y._version for y in ys]
    yield m.autograd.grad(sum(y.sum() for y in ys), xs)
    yield attempt(m._foreach_add_, xs, 1.0)
    with m.no_grad():
        m._foreach_add_(xs, 1.0)
    yield xs, [x._version for x in xs]
    zs = [x * 1 for x in xs]
    m._foreach_zero_(zs)
    yield [z.detach() for z in zs], m.autograd.grad(sum(z.sum() for z in zs), xs)
    base = xs[0] * 1
    m._foreach_mul_([base[0:1], base[1:2]], 3.0)
    yield base, m.autograd.grad(base.sum(), xs[0])


@programs
def random_writes(m):
    x = leaf(m, 1, 2)
    for name, args in (("normal_", ()), ("uniform_", ()), ("bernoulli_", (0.5,)), ("random_", (3,)), ("exponential_", ())):
        y = x * 1
        getattr(y, name)(*args)
        yield name, y.requires_grad, y._version
        yield attempt(m.autograd.grad, y.sum(), x)


@programs
def set_and_resize(m):
    x = leaf(m, 1, 2)
    y = x * 1
    yield attempt(y.resize_, 4)
    yield attempt(x.resize_, 4)
    z = m.ones(2)
    yield z.set_(m.zeros(3)) is z, z, z._version
    yield attempt(x.set_, m.zeros(3))
    yield attempt((x * 1).set_, m.zeros(3))


@programs
def relu_in_place_and_its_result(m):
    x = leaf(m, -1, 2)
    y = (x * 1).relu_()
    z = y * 2
    yield m.autograd.grad(z.sum(), x)
    h = x * 1
    w = h * h
    h.relu_()
    yield attempt(w.sum().backward)


@programs
def double_backward_through_writes(m):
    x = leaf(m, 1, 2)
    y = x * x
    y.mul_(x)
    y.exp_()
    (g,) = m.autograd.grad(y.sum(), x, create_graph=True)
    yield g
    (h,) = m.autograd.grad(g.sum(), x)
    yield h


@programs
def error_leaves_tensor_as_it_was(m):
    x = leaf(m, 1, 2)
    y = x * 2
    node = y.grad_fn
    yield attempt(y.mul_, m.ones(5)), y.grad_fn is node, y._version, y
    y.sum().backward()
    yield x.grad


@programs
def views_that_turn_in_place_leave_their_base_alone(m):
    w = m.tensor([[1.0, 2.0], [3.0, 4.0]])
    for turn in (lambda v: v.t_(), lambda v: v.transpose_(0, 1), lambda v: v.unsqueeze_(0).squeeze_(0), lambda v: v.as_strided_((2, 2), (1, 2), 0)):
        for read in (lambda b, v: b, lambda b, v: v, lambda b, v: v * b):
            for write in (lambda b, v: None, lambda b, v: b.mul_(3), lambda b, v: v.mul_(2)):
                x = m.ones(2, 2, requires_grad=True)
                b = x * w
                v = b[:]
                turn(v)
                write(b, v)
                yield m.autograd.grad((read(b, v) * w).sum(), x)


@programs
def expanded_views_of_lazy_conjugates_are_made_anew(m):
    x = m.ones(3, dtype=m.complex128, requires_grad=True)
    b = x * 1
    e = b.conj().expand(2, 3)
    b.mul_(2)
    yield m.autograd.grad(m.view_as_real(e.resolve_conj()).sum(), x)


@programs
def names_of_variables_in_version_errors(m):
    x = m.ones(2, 3, dtype=m.float64, requires_grad=True)
    a = x * 1
    b = a.sin()
    a.zero_()
    a.zero_()
    yield attempt(b.sum().backward)
    p, q = (x * 1).split([1, 1])
    c = p * q
    with m.no_grad():
        q.add_(1)
    yield attempt(c.sum().backward)
    w = m.ones(2, 3, dtype=m.float64, requires_grad=True)
    d = w.sin()
    with m.no_grad():
        w.add_(1)
    yield attempt(d.sum().backward)


@pytest.mark.oracle
@pytest.mark.parametrize("name", programs)
def test_as_pytorch(name):
    pytest.importorskip("torch")
    programs.compare(name)
