"""Products with Jacobians and Hessians, and these themselves: values as PyTorch's, and its errors."""

import pytest

import runtime as rt
from runtime.autograd import functional

A, B = [1.0, 2.0, 3.0], [2.0, 4.0, 5.0]


def scalar(x, y):
    return (x * y * x).sum()


def several(x, y):
    return x * y * x, y.exp()


def linear(x):
    return 2 * x


def compare(name, func, inputs, v=None, **options):
    """The result of a function of the module, beside PyTorch's, as nested lists."""
    torch = pytest.importorskip("torch")
    import torch.autograd.functional as theirs

    def lists(value):
        return [lists(one) for one in value] if isinstance(value, (tuple, list)) else value.tolist()

    def run(module, owner):
        values = tuple(module.tensor(one, dtype=module.float64) for one in inputs)
        vector = () if v is None else (tuple(module.tensor(one, dtype=module.float64) for one in v),)
        return lists(getattr(owner, name)(func, values, *vector, **options))

    assert run(rt, functional) == run(torch, theirs)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["vjp", "jvp"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_products_with_the_jacobian_are_those_of_pytorch(name, create_graph):
    compare(name, several, [A, B], [B, A], create_graph=create_graph)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["vhp", "hvp"])
def test_products_with_the_hessian_are_those_of_pytorch(name):
    compare(name, scalar, [A, B], [B, A])


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"vectorize": True}, {"create_graph": True}, {"vectorize": True, "strategy": "forward-mode"}])
def test_jacobians_are_those_of_pytorch(options):
    compare("jacobian", several, [A, B], **options)


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"vectorize": True}, {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}])
def test_hessians_are_those_of_pytorch(options):
    compare("hessian", scalar, [A, B], **options)


def test_results_are_recorded_only_with_create_graph():
    x = rt.tensor(A, requires_grad=True)
    assert not functional.jacobian(lambda x: x * x, x).requires_grad
    functional.jacobian(lambda x: x * x, x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_result_that_does_not_depend_on_an_input_has_a_jacobian_of_zeros():
    x, y = rt.tensor(A), rt.tensor(B)
    first, second = functional.jacobian(lambda x, y: x * x, (x, y))
    assert second.tolist() == [[0.0] * 3] * 3 and first.tolist()[0] == [2.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: functional.vjp(linear, x), "The vector v can only be None if the user-provided function returns"),
        (lambda x: functional.jvp(linear, x), "The vector v can only be None if the input to the user-provided function"),
        (lambda x: functional.vjp(linear, x, rt.ones(2)), r"v has invalid size: should be torch.Size\(\[3\]\) but got torch.Size\(\[2\]\)"),
        (lambda x: functional.vjp(linear, x, (x, x)), "The given v should contain a single Tensor"),
        (lambda x: functional.vjp(lambda x: (x, x), x, x), "v is a tuple of invalid length: should be 2 but got 1"),
        (lambda x: functional.vjp(lambda x: rt.ones(3), x, x, strict=True), "Output 0 of the user-provided function does not require gradients"),
        (lambda x: functional.hessian(linear, x), "returned by the function given to hessian should contain a single element"),
        (lambda x: functional.hessian(lambda x: linear(x).sum(), x, strict=True), "found that the jacobian of the user-provided function"),
        (lambda x: functional.hvp(lambda x: (linear(x).sum(),), x, x), "The function given to hvp should return a single Tensor"),
        (lambda x: functional.jacobian(linear, x, strict=True, vectorize=True), "`strict=True` and `vectorized=True` are not supported"),
        (lambda x: functional.jacobian(linear, x, strict=True, strategy="forward-mode"), '`strict=True` and `strategy="forward-mode"`'),
    ],
)
def test_wrong_calls_raise(call, message):
    with pytest.raises(RuntimeError, match=message):
        call(rt.tensor(A))


def test_inputs_and_results_must_be_tensors():
    with pytest.raises(TypeError, match="The inputs given to vjp must be either a Tensor or a tuple of Tensors but the given inputs has type"):
        functional.vjp(linear, [1.0])
    with pytest.raises(TypeError, match="outputs of the user-provided function given to jvp .* the value at index 1"):
        functional.jvp(lambda x: (x, 1.0), rt.tensor(A), rt.tensor(A))
