"""Checks of derivatives: what autograd computes against finite differences.

A function with complex results is checked as two, of their real and imaginary parts; forward mode takes complex inputs apart the same way.
The slow way compares whole Jacobians, the fast one their products with random vectors. Tensors are dense: there are no other layouts.
"""

import functools
import warnings
from dataclasses import dataclass, replace
from itertools import product

import runtime
from runtime import _core
from runtime._core import Tensor
from runtime.autograd import forward_ad
from runtime.autograd.backward import grad as autograd_grad
from runtime.autograd.function import Function

__all__ = [
    "GradcheckError",
    "get_analytical_jacobian",
    "get_numerical_jacobian",
    "get_numerical_jacobian_wrt_specific_input",
    "gradcheck",
    "gradgradcheck",
]

_NONDETERMINISTIC_HINT = "\n\nNOTE: if the function is non-deterministic by its nature, pass nondet_tol=<tol>."
_FAST_FAILED_HINT = (
    "Fast gradcheck failed but element-wise differences are small. This means that the test might've passed in slow_mode! "
    "Call gradcheck with `fast_mode=False` to compare element by element."
)
_BATCHED_HINT = "gradcheck or gradgradcheck failed while testing batched gradient computation. `check_batched_grad=False` leaves this check out."
_BATCHED_FORWARD_HINT = (
    "gradcheck failed while testing batched gradient computation with forward-mode AD. `check_batched_forward_grad=False` leaves this check out."
)
_PRIVATE = (
    "`{}` was part of PyTorch's private API and not meant to be exposed. We are deprecating it and it will be removed in a future version of "
    "PyTorch. If you have a specific use for this or feature request for this to be a stable API, please file us an issue at "
    "https://github.com/pytorch/pytorch/issues/new"
)


class GradcheckError(RuntimeError):
    """What autograd computes and finite differences contradict each other."""


@dataclass(frozen=True)
class _Check:
    """How a function is checked."""

    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_grad_dtypes: bool
    fast: bool
    forward: bool = False
    complex_places: tuple = ()  # of the results, or inputs, whose real or imaginary part the function stands for
    imaginary: bool = False


# --------------------------------------------------------------------------------------------------------------- helpers


def _as_tuple(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _has_derivative(value):
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def _needs_grad(value):
    return isinstance(value, Tensor) and value.requires_grad


def _leaves(value):
    """The tensors in a value that need a gradient, in lists and tuples too."""
    if isinstance(value, Tensor):
        return [value] if value.requires_grad else []
    if isinstance(value, (list, tuple)):
        return [tensor for one in value for tensor in _leaves(one)]
    return []


def _differentiable(outputs):
    return tuple(one for one in _as_tuple(outputs) if one.requires_grad)


def _close(a, b, rtol, atol):
    dtype = runtime.promote_types(a.dtype, b.dtype)
    return bool(runtime.allclose(a.to(dtype), b.to(dtype), rtol, atol))


def _ones_at(shape):
    return product(*map(range, shape))


# ------------------------------------------------------------------------------------------------------ finite differences


def _difference(function, entry, step, scale, check):
    """Differences of a function's results over a step to both sides of an entry, which is written and restored."""
    before = entry.clone()
    entry.copy_(before - step)
    low = function()
    entry.copy_(before + step)
    high = function()
    entry.copy_(before)
    made = []
    for a, b in zip(low, high):
        check(a, b)
        made.append(((b - a) / (2 * scale)).detach().reshape(-1))
    return made


def _columns(difference, step, is_complex, forward):
    """Derivatives in one direction; of a complex input in two, put together as the conjugate Wirtinger derivative."""
    real = difference(step[0] if isinstance(step, tuple) else step)
    if is_complex:
        imaginary = difference(step[1] * 1j if isinstance(step, tuple) else step * 1j)
        if any(one.is_complex() for one in real):
            raise AssertionError("Expected ds_dx to be real-valued, not complex")
        return [a + b * 1j for a, b in zip(real, imaginary)]
    if not forward and any(one.is_complex() for one in real):
        raise AssertionError("Expected ds_dx to be real-valued, not complex.")
    return real


def _same_kind(a, b, eps, at=None):
    where = "" if at is None else f"on index {at} "
    for what, x, y in (("shape", a.shape, b.shape), ("dtype", a.dtype, b.dtype)):
        if x != y:
            raise AssertionError(
                f"Expected `func` to return outputs with the same {what} when inputs are perturbed {where}by {eps}, but got: {what}s {x} and {y}."
            )


def _cloned_outputs(fn, inputs):
    return tuple(one.clone() for one in _as_tuple(fn(*_as_tuple(inputs))))


def get_numerical_jacobian_wrt_specific_input(fn, input_idx, inputs, outputs, eps, input=None, is_forward_ad=False):
    """Jacobians of a function's results with respect to one input, by finite differences.

    Parameters
    ----------
    fn : callable
        The function.
    input_idx : int
        The place of the input.
    inputs, outputs : sequence
        The inputs and the results.
    eps : float
        The step.
    input : Tensor, optional
        The input itself.
    is_forward_ad : bool
        Whether results may be complex.

    Returns
    -------
    tuple of Tensor
        For each floating-point or complex result a tensor (elements of the input, elements of the result).
    """
    input = inputs[input_idx] if input is None else input
    if not input.requires_grad:
        raise AssertionError("Expected input to have requires_grad=True")
    dtype = input.dtype if input.dtype.is_complex else None
    wanted = [i for i, one in enumerate(outputs) if _has_derivative(one)]
    found = [outputs[i].new_zeros((input.numel(), outputs[i].numel()), dtype=dtype) for i in wanted]
    data = input.data  # writing to it is no change that backward would see
    for row, at in enumerate(_ones_at(input.shape)):

        def difference(step, at=at):
            return _difference(lambda: _cloned_outputs(fn, inputs), data[at], step, eps, functools.partial(_same_kind, eps=eps, at=at))

        columns = _columns(difference, eps, input.is_complex(), is_forward_ad)
        for place, jacobian in zip(wanted, found):
            jacobian[row] = columns[place]
    return tuple(found)


def _numerical_jacobians(fn, inputs, outputs=None, target=None, eps=1e-3, is_forward_ad=False):
    """For each input that needs a gradient, its Jacobians."""
    if outputs is None:
        outputs = _as_tuple(fn(*_as_tuple(inputs)))
    if not is_forward_ad and any(one.is_complex() for one in outputs):
        raise ValueError("Expected output to be non-complex. get_numerical_jacobian no longer supports functions that return complex outputs.")
    target = inputs if target is None else target
    places = [i for i, one in enumerate(_as_tuple(target)) if _needs_grad(one)]
    return [
        get_numerical_jacobian_wrt_specific_input(fn, place, inputs, outputs, eps, input=one, is_forward_ad=is_forward_ad)
        for one, place in zip(_leaves(target), places)
    ]


def get_numerical_jacobian(fn, inputs, target=None, eps=1e-3, grad_out=1.0):
    """Jacobians of a function's first result by finite differences; PyTorch deprecates it.

    Parameters
    ----------
    fn : callable
        Takes a tuple of inputs.
    inputs : tuple
        The inputs.
    target : tuple, optional
        The tensors with respect to which derivatives are taken; `inputs` by default.
    eps : float
        The step.
    grad_out : float
        Always 1.

    Returns
    -------
    tuple of Tensor
    """
    warnings.warn(_PRIVATE.format("get_numerical_jacobian"), FutureWarning, stacklevel=2)
    if grad_out != 1.0:
        raise ValueError("Expected grad_out to be 1.0. get_numerical_jacobian no longer supports values of grad_out != 1.0.")
    return tuple(found[0] for found in _numerical_jacobians(lambda *values: fn(values), inputs, None, target, eps))


def _numerical_products(fn, places, inputs, outputs, us, vs, check):
    """For each input and result, v J u (J u without v), by finite differences along u."""
    found = []
    for place, u in zip(places, us):
        input = inputs[place]
        data = input.data
        steps = tuple(one.reshape(input.shape) * check.eps for one in u) if isinstance(u, tuple) else u.reshape(input.shape) * check.eps

        def difference(step, data=data):
            return _difference(lambda: _cloned_outputs(fn, inputs), data, step, check.eps, functools.partial(_same_kind, eps=check.eps))

        columns = _columns(difference, steps, input.is_complex(), check.forward)
        products = [column for column, output in zip(columns, _as_tuple(outputs)) if _has_derivative(output)]
        found.append(products if vs is None else [(v * column).sum() for v, column in zip(vs, products)])
    return found


# ----------------------------------------------------------------------------------------------------------- by autograd


def _rows(backward, output):
    """Gradients of each element of a result: for each input a list."""
    weights = runtime.zeros(output.shape, dtype=output.dtype, device=output.device)
    flat = weights.view(-1)
    rows = []
    for j in range(flat.numel()):
        flat.zero_()
        flat[j] = 1.0
        grads = backward(weights)
        if not rows:
            rows = [[] for _ in grads]
        for row, grad in zip(rows, grads):
            row.append(None if grad is None else grad.clone())
    return rows


def _stacked(rows, inputs, count):
    """Jacobians (elements of the input, elements of the result) of lists of gradients; whether sizes and dtypes are right."""
    leaves = _leaves(inputs)
    jacobians = [one.new_zeros((one.numel(), count)) for one in leaves if _has_derivative(one)]
    sizes_ok = dtypes_ok = True
    for leaf, jacobian, grads in zip(leaves, jacobians, rows):
        for j, grad in enumerate(grads):
            if grad is None:
                continue
            sizes_ok &= grad.shape == leaf.shape
            dtypes_ok &= grad.dtype == leaf.dtype or grad.shape != leaf.shape
            if grad.numel() != leaf.numel():
                raise AssertionError(f"Expected out_jacobian column to have {grad.numel()} elements, but got {leaf.numel()}")
            jacobian[:, j] = grad.reshape(-1)
    return tuple(jacobians), sizes_ok, dtypes_ok


def _equal(some, others, atol):
    return all(a.numel() == 0 or float((a - b).abs().max()) <= atol for a, b in zip(some, others))


def _backward_of(output, leaves):
    return lambda weights: autograd_grad(output, leaves, weights, retain_graph=True, allow_unused=True)


def _analytical(inputs, output, check, v=None):
    """Jacobians of a result, or their products with `v`, by backward; it is run twice to see that it always gives the same."""
    backward = _backward_of(output, _leaves(inputs))

    def run():
        if v is None:
            return _rows(backward, output)
        return [[None if one is None else one.clone()] for one in backward(v.reshape(output.shape))]

    count = output.numel() if v is None else 1
    found, sizes_ok, dtypes_ok = _stacked(run(), inputs, count)
    again = _stacked(run(), inputs, count)[0]
    if not dtypes_ok and check.check_grad_dtypes:
        raise GradcheckError("Gradient has dtype mismatch")
    if not sizes_ok:
        raise GradcheckError("Analytical gradient has incorrect size")
    if not _equal(found, again, check.nondet_tol):
        raise GradcheckError(
            "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different values, although "
            f"analytical gradient matches numerical gradient.The tolerance for nondeterminism was {check.nondet_tol}.{_NONDETERMINISTIC_HINT}"
        )
    return found


def get_analytical_jacobian(inputs, output, nondet_tol=0.0, grad_out=1.0):
    """Jacobians of a result by backward; PyTorch deprecates it.

    Parameters
    ----------
    inputs : tuple
        The inputs.
    output : Tensor
        The result.
    nondet_tol : float
        How far two runs may differ.
    grad_out : float
        Always 1.

    Returns
    -------
    jacobians : tuple of Tensor
    reentrant, sizes_ok, dtypes_ok : bool
        Whether two runs agree, and sizes and dtypes are those of the inputs.
    """
    warnings.warn(_PRIVATE.format("get_analytical_jacobian"), FutureWarning, stacklevel=2)
    if grad_out != 1.0:
        raise ValueError("Expected grad_out to be 1.0. get_analytical_jacobian no longer supports values of grad_out != 1.0.")
    if output.is_complex():
        raise ValueError("Expected output to be non-complex. get_analytical_jacobian no longer supports functions that return complex outputs.")
    backward = _backward_of(output, _leaves(inputs))
    found, sizes_ok, dtypes_ok = _stacked(_rows(backward, output), inputs, output.numel())
    again = _stacked(_rows(backward, output), inputs, output.numel())[0]
    return found, _equal(found, again, nondet_tol), sizes_ok, dtypes_ok


def _forward_jacobians(fn, inputs, outputs, check, us=None):
    """For each input the Jacobians of all results, or their products with `us`, by forward mode."""
    if any(one.is_complex() for one in inputs if _needs_grad(one)):
        raise ValueError("Expected inputs to be non-complex for _get_analytical_jacobian_forward_ad.")
    wanted = [one for one in outputs if _has_derivative(one)]
    found = []
    with forward_ad.dual_level():
        duals, tangents = _duals(inputs)

        def products(into):
            results = [one for one in _as_tuple(fn(*duals)) if _has_derivative(one)]
            for place, result in zip(into, results):
                value, tangent = forward_ad.unpack_dual(result)
                if tangent is None:
                    continue
                if check.check_grad_dtypes and value.is_complex() != tangent.is_complex():
                    raise GradcheckError("Forward AD gradient has dtype mismatch.")
                place.copy_(tangent.reshape(-1))

        for i, tangent in enumerate(tangents):
            if us is not None:
                made = [one.new_zeros(one.numel()) for one in wanted]
                tangent.copy_(us[i].view_as(tangent))
                products(made)
                tangent.zero_()
            else:
                made = [one.new_zeros((tangent.numel(), one.numel())) for one in wanted]
                for row, at in enumerate(_ones_at(tangent.shape)):
                    tangent[at] = 1.0
                    products([one[row] for one in made])
                    tangent[at] = 0.0
            found.append(made)
    return found


def _duals(inputs):
    """The inputs with tangents of zeros where they need gradients, and these tangents."""
    duals = [forward_ad.make_dual(one.detach(), runtime.zeros_like(one, requires_grad=False)) if _needs_grad(one) else one for one in inputs]
    return duals, [forward_ad.unpack_dual(dual).tangent for dual, one in zip(duals, inputs) if _needs_grad(one)]


# ----------------------------------------------------------------------------------------------------------- comparisons


def _mismatch(analytical, numerical, output, input, check):
    element, place = ("inputs", input) if check.forward else ("outputs", output)
    prefix = ""
    if place in check.complex_places:
        prefix = f"While considering the {'imaginary' if check.imaginary else 'real'} part of complex {element} only, "
    mode = "computed with forward mode " if check.forward else ""
    return f"{prefix}Jacobian {mode}mismatch for output {output:d} with respect to input {input:d},\nnumerical:{numerical}\nanalytical:{analytical}\n"


def _check_slow(func, func_out, inputs, outputs, check):
    func_out = _as_tuple(func_out)
    numerical = _numerical_jacobians(func, inputs, func_out, eps=check.eps, is_forward_ad=check.forward)
    if not outputs:
        if any(bool((jacobian != 0).any()) for by_output in numerical for jacobian in by_output):
            raise GradcheckError("Numerical gradient for function expected to be zero")
        return
    floating = [one for one in func_out if _has_derivative(one)]
    by_output = [row for row, one in zip(zip(*numerical), floating) if one.requires_grad]
    if check.forward:
        forward = _forward_jacobians(func, inputs, func_out, check)
        analytical = [row for row, one in zip(zip(*forward), floating) if one.requires_grad]
    for i, row in enumerate(by_output):
        found = analytical[i] if check.forward else _analytical(inputs, outputs[i], check)
        for j, (a, n) in enumerate(zip(found, row)):
            if not _close(a, n, check.rtol, check.atol):
                raise GradcheckError(_mismatch(a, n, i, j, check))


def _unit_vector(tensor, generator, real):
    dtype = tensor.dtype
    if real and dtype.is_complex:
        dtype = dtype.to_real()
    vector = runtime.rand(tensor.numel(), generator=generator).to(dtype=dtype, device=tensor.device)
    return vector / vector.norm()


def _vectors(leaves, outputs):
    """Random vectors for each input (two for complex ones) and for each result."""
    generator = runtime.Generator()
    us = [
        (_unit_vector(one, generator, True), _unit_vector(one, generator, True)) if one.is_complex() else _unit_vector(one, generator, True)
        for one in leaves
    ]
    return us, [_unit_vector(one, generator, False) for one in outputs]


def _product_with(vector, gradient):
    """u . g of the flat gradient of an input, where u has two parts for a complex one."""
    if gradient.is_complex():
        gradient = runtime.view_as_real(gradient.resolve_conj())
        return gradient[:, 0].dot(vector[0]) + 1j * gradient[:, 1].dot(vector[1])
    return gradient.dot(vector)


def _check_fast(func, func_out, inputs, outputs, check):
    places = [i for i, one in enumerate(inputs) if _needs_grad(one)]
    us, vs = _vectors([inputs[i] for i in places], outputs)
    if not check.forward and not outputs:
        for by_output in _numerical_products(func, places, inputs, func_out, us, None, check):
            if any(one.numel() and float(one.abs().max()) > check.nondet_tol for one in by_output):
                raise GradcheckError("Numerical gradient for function expected to be zero")
        return
    numerical = _numerical_products(func, places, inputs, func_out, us, None if check.forward else vs, check)
    if check.forward:
        analytical = _forward_jacobians(func, inputs, _as_tuple(func_out), check, us)
    else:
        by_output = [[_product_with(u, vj.squeeze(1)) for vj, u in zip(_analytical(inputs, output, check, v), us)] for output, v in zip(outputs, vs)]
        analytical = list(zip(*by_output))
    for i, row in enumerate(numerical):
        for j, n in enumerate(row):
            a = analytical[i][j]
            total = float(us[i][0].sum()) + float(us[i][1].sum()) if isinstance(us[i], tuple) else float(us[i].sum())
            weight = 1.0 if check.forward else abs(complex(vs[j].sum()))
            if not _close(a, n, check.rtol, check.atol * total * weight):
                raise GradcheckError(_mismatch(a, n, j, i, check) + _slow_report(func, inputs, func_out, outputs, places[i], i, j, check))


def _slow_report(func, inputs, func_out, outputs, place, i, j, check):
    """What the slow way finds for the pair where the fast one failed."""
    compared = tuple(one for one in _as_tuple(func_out) if _has_derivative(one)) if check.forward else outputs

    def pair(*values):
        return tuple(one for one in _as_tuple(func(*values)) if (_has_derivative(one) if check.forward else one.requires_grad))

    numerical = _numerical_jacobians(pair, inputs, compared, eps=check.eps, is_forward_ad=check.forward)[i][j]
    if check.forward:
        analytical = _forward_jacobians(pair, inputs, compared, check)[i][j]
    else:
        analytical = _analytical(inputs, outputs[j], replace(check, nondet_tol=float("inf"), check_grad_dtypes=False))[i]
    report = (
        "\nThe above quantities relating the numerical and analytical jacobians are computed in fast mode. Below, they are recomputed in slow "
        f"mode:\n\nNumerical:\n {numerical}\nAnalytical:\n{analytical}\n\nThe max per-element difference (slow mode) is: "
        f"{(numerical - analytical).abs().max()}.\n"
    )
    return report + _FAST_FAILED_HINT if _close(analytical, numerical, check.rtol, check.atol) else report


def _check(func, func_out, inputs, outputs, check):
    (_check_fast if check.fast else _check_slow)(func, func_out, inputs, outputs, check)


def _part_of_outputs(func, part):
    return lambda *inputs: tuple(part(one) if one.is_complex() else one for one in _as_tuple(func(*inputs)))


def _check_backward(func, func_out, inputs, outputs, check):
    if not any(one.is_complex() for one in _as_tuple(func_out)):
        _check(func, func_out, inputs, outputs, check)
        return
    places = tuple(i for i, one in enumerate(outputs) if one.is_complex())
    for part, imaginary in ((runtime.imag, True), (runtime.real, False)):
        function = _part_of_outputs(func, part)
        made = function(*inputs)
        _check(function, made, inputs, _differentiable(made), replace(check, complex_places=places, imaginary=imaginary))


def _part_of_inputs(func, inputs, places, imaginary):
    """The function of the real, or the imaginary, parts of complex inputs while the other parts stand still."""

    def function(*values):
        values = list(values)
        for place in places:
            fixed = inputs[place]
            values[place] = fixed.real + values[place] * 1j if imaginary else values[place] + fixed.imag * 1j
        return _as_tuple(func(*values))

    return function


def _check_forward(func, func_out, inputs, outputs, check, check_undefined_grad):
    places = tuple(i for i, one in enumerate(inputs) if isinstance(one, Tensor) and one.is_complex())
    cases = [(func, func_out, inputs, outputs, check)] if not places else []
    for imaginary in (True, False) if places else ():
        function = _part_of_inputs(func, inputs, places, imaginary)
        parts = [(one.imag if imaginary else one.real) if i in places else one for i, one in enumerate(inputs)]
        made = function(*parts)
        cases.append((function, made, parts, _differentiable(made), replace(check, complex_places=places, imaginary=imaginary)))
    for case in cases:
        _check(*case)
    if check_undefined_grad:
        for function, _, values, _, _ in cases:
            _check_missing_tangents(function, values)


# ---------------------------------------------------------------------------------------- gradients that are not there


def _check_missing_tangents(func, inputs):
    """No tangent and a tangent of zeros mean the same."""
    generator = runtime.Generator()
    with forward_ad.dual_level():
        duals, tangents = _duals(inputs)
        for tangent in tangents:
            tangent.copy_(_unit_vector(tangent, generator, False).view_as(tangent))
        for i, one in enumerate(inputs):
            if not _needs_grad(one):
                continue
            zeros = forward_ad.make_dual(one.detach(), runtime.zeros_like(one, requires_grad=False))
            with_zeros, without = (
                [forward_ad.unpack_dual(result).tangent for result in _as_tuple(func(*duals[:i], value, *duals[i + 1 :])) if _has_derivative(result)]
                for value in (zeros, one.detach())
            )
            for place, (a, b) in enumerate(zip(with_zeros, without)):
                if a is not None and b is not None and not _close(a, b, 1e-5, 1e-8):
                    raise GradcheckError(
                        "Mismatch in tangent values for output with index: ", place, " when input: ", one, " has an undefined tangent value. ",
                        " Got: ", a, " but expected: ", b,
                    )  # fmt: skip


class _NoGradient(Function):
    """Its results are its inputs, and their gradients are nothing."""

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return None


class DelayedError:
    """``DelayedError(message, n)(*tensors)`` are the tensors, behind a node through which backward raises.

    Parameters
    ----------
    msg : str
        The message of the error.
    num_inputs : int
        How many tensors there are.
    """

    def __init__(self, msg, num_inputs):
        self.msg, self.num_inputs = msg, num_inputs

    def __call__(self, *tensors):
        if len(tensors) != self.num_inputs:
            raise RuntimeError(f"DelayedError expects {self.num_inputs} tensors, but got {len(tensors)}")
        made = _core._with_error(tensors, self.msg)
        return made if len(made) > 1 else made[0]


class UndefinedGrad:
    """``UndefinedGrad()(tensor)`` is the tensor, with a node whose backward gives no gradient."""

    def __call__(self, *tensors):
        made = tuple(map(_NoGradient.apply, tensors))
        return made if len(made) > 1 else made[0]


_MISSING_HINT = 'Please look at "Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"'


def _check_missing_gradients(func, inputs):
    """Backward treats gradients that are not there as zeros."""
    leaves = _leaves(inputs)

    def results():
        return [one for one in _as_tuple(func(*inputs)) if one.requires_grad]

    first = results()
    cases = [[_NoGradient.apply(one) for one in first]]
    if len(first) > 1:
        for i in range(len(first)):
            cases.append([_NoGradient.apply(one) if i == j else one for j, one in enumerate(results())])
    for outputs in cases:
        zeros = [runtime.zeros_like(one, requires_grad=False) for one in outputs]
        try:
            grads = autograd_grad(outputs, leaves, zeros, allow_unused=True)
        except RuntimeError as e:
            _warn_of_missing()
            raise GradcheckError(f"Expected backward function to handle undefined output grads. {_MISSING_HINT}") from e
        if any(one is not None and not bool((one == 0).all()) for one in grads):
            _warn_of_missing()
            raise GradcheckError("Expected all input grads to be undefined or zero when all output grads are undefined or zero. " + _MISSING_HINT)


def _warn_of_missing():
    warnings.warn(
        "Backwards compatibility: New undefined gradient support checking feature is enabled by default, but it may break existing callers of "
        'this function. If this is true for you, you can call this function with "check_undefined_grad=False" to disable the feature',
        stacklevel=2,
    )


def _check_zero_gradients(outputs, inputs, masked):
    """Gradients of zeros are zeros, in the shape and dtype of the inputs."""
    leaves = _leaves(inputs)
    if not leaves:
        raise GradcheckError("no Tensors requiring grad found in input")
    zeros = [runtime.zeros(one.shape, dtype=one.dtype, device=one.device) for one in outputs]
    for grad, leaf in zip(autograd_grad(outputs, leaves, zeros, allow_unused=True) if outputs else (), leaves):
        if grad is None:
            continue
        if not (_close(grad, runtime.zeros_like(grad), 1e-5, 1e-8) if masked else bool((grad == 0).all())):
            raise GradcheckError("backward not multiplied by grad_output")
        for what in ("dtype", "device", "shape"):
            if getattr(grad, what) != getattr(leaf, what):
                raise GradcheckError(f"grad is incorrect {({'dtype': 'type', 'shape': 'size'}).get(what, what)}")


# -------------------------------------------------------------------------------------------------------------- batches


def _zeros_for_none(values, like):
    return tuple(one.new_zeros(one.shape) if value is None else value for value, one in zip(values, like))


def _compare_batches(found, wanted, output, hint):
    for i, (a, b) in enumerate(zip(found, wanted)):
        if not _close(a, b, 1e-5, 1e-8):
            raise GradcheckError(f"For output {output} and input {i}:\n\n{hint}\n\nGot:\n{a}\n\nExpected:\n{b}")


def _check_batched_backward(inputs, output, place):
    """A batch of gradients gives what the gradients one by one give."""
    leaves = _leaves(inputs)
    weights = [runtime.randn_like(output, requires_grad=False) for _ in range(2)]
    one_by_one = [_zeros_for_none(_backward_of(output, leaves)(weight), leaves) for weight in weights]
    try:
        batch = autograd_grad(output, leaves, runtime.stack(weights), retain_graph=True, allow_unused=True, is_grads_batched=True)
    except RuntimeError as e:
        raise GradcheckError(f"While computing batched gradients, got: {e}\n\n{_BATCHED_HINT}") from e
    found = [one.new_zeros((2, *one.shape)) if rows is None else rows for rows, one in zip(batch, leaves)]
    _compare_batches(found, [runtime.stack(rows) for rows in zip(*one_by_one)], place, _BATCHED_HINT)


def _check_batched_forward(func, inputs):
    """Tangents scale with the inputs' tangents: the sum of a batch gives the sum of the results' tangents."""
    for place, one in enumerate(inputs):
        if not (_needs_grad(one) and _has_derivative(one)):
            continue

        def tangents_of(tangent, place=place, one=one):
            with forward_ad.dual_level():
                dual = forward_ad.make_dual(one.detach(), tangent)
                values = [dual if i == place else (v.detach() if isinstance(v, Tensor) else v) for i, v in enumerate(inputs)]
                pairs = [forward_ad.unpack_dual(result) for result in _as_tuple(func(*values)) if result is not None]
                return [runtime.zeros_like(pair.primal) if pair.tangent is None else pair.tangent for pair in pairs]

        first, second = (runtime.randn_like(one, requires_grad=False) for _ in range(2))
        wanted = [a + b for a, b in zip(tangents_of(first), tangents_of(second))]
        _compare_batches(tangents_of(first + second), wanted, place, _BATCHED_FORWARD_HINT)


# --------------------------------------------------------------------------------------------------------------- checks


def _check_inputs(inputs):
    if not any(map(_needs_grad, inputs)):
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.")
    for i, one in enumerate(inputs):
        if not _needs_grad(one):
            continue
        if one.dtype not in (runtime.float64, runtime.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will likely fail if all the "
                "inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if one.layout == runtime.strided and any(stride == 0 and size > 1 for stride, size in zip(one.stride(), one.shape)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to be able to compute "
                "the numerical gradients correctly. You should call .contiguous on the input before passing it to gradcheck."
            )


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_batched_forward_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
    masked=None,
):
    """Check the derivatives of a function against finite differences.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor or a tuple of tensors.
    inputs : Tensor or tuple
        Its arguments; those that need a gradient should be of double precision.
    eps : float
        The step of the differences.
    atol, rtol : float
        How far values may differ.
    raise_exception : bool
        Whether a failure is raised, or False returned.
    nondet_tol : float
        How far two runs of backward may differ.
    check_undefined_grad : bool
        Whether to check that gradients that are not there count as zeros.
    check_grad_dtypes : bool
        Whether to check gradients' dtypes.
    check_batched_grad, check_batched_forward_grad : bool
        Whether to check derivatives of batches.
    check_forward_ad, check_backward_ad : bool
        Which modes to check.
    fast_mode : bool
        Whether to compare products with random vectors instead of Jacobians.
    masked : bool, optional
        Whether gradients of zeros need only be close to zeros.

    Returns
    -------
    bool

    Raises
    ------
    GradcheckError
        If a check fails.

    Examples
    --------
    >>> import runtime as rt
    >>> x = rt.tensor([0.5, 2.0], dtype=rt.float64, requires_grad=True)
    >>> rt.autograd.gradcheck(lambda x: (x * x).exp(), x)
    True
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    inputs = _as_tuple(inputs)
    check = _Check(eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    try:
        _check_inputs(inputs)
        func_out = func(*inputs)
        outputs = _differentiable(func_out)
        if check_backward_ad:
            _check_backward(func, func_out, inputs, outputs, check)
        if check_forward_ad:
            _check_forward(func, func_out, inputs, outputs, replace(check, forward=True), check_undefined_grad)
        if check_batched_forward_grad:
            _check_batched_forward(func, inputs)
        if check_backward_ad:
            for i, output in enumerate(outputs if check_batched_grad else ()):
                _check_batched_backward(inputs, output, i)
            _check_zero_gradients(outputs, inputs, masked)
            if check_undefined_grad:
                _check_missing_gradients(func, inputs)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    gen_non_contig_grad_outputs=False,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    fast_mode=False,
    masked=False,
):
    """Check the derivatives of a function's gradients against finite differences.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor or a tuple of tensors.
    inputs : Tensor or tuple
        Its arguments.
    grad_outputs : Tensor or tuple of Tensor, optional
        Gradients with respect to the results; random ones by default.
    gen_non_contig_grad_outputs : bool
        Whether random ones are not contiguous.
    check_fwd_over_rev, check_rev_over_rev : bool
        By which modes gradients are differentiated.
    eps, atol, rtol, raise_exception, nondet_tol, check_undefined_grad, check_grad_dtypes, check_batched_grad, fast_mode, masked
        As for `gradcheck`.

    Returns
    -------
    bool

    Raises
    ------
    GradcheckError
        If a check fails.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_undefined_grad=True requires check_rev_over_rev to be True")
    if check_batched_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_batched_grad=True requires check_rev_over_rev to be True")
    inputs = _as_tuple(inputs)
    if grad_outputs is None:
        grad_outputs = tuple(_random_grad(one, gen_non_contig_grad_outputs) for one in _differentiable(func(*inputs)))
    grad_outputs = _as_tuple(grad_outputs)
    count = len(grad_outputs)
    differentiated = {i for i, one in enumerate(inputs) if _needs_grad(one)}
    weighted = {i for i, one in enumerate(grad_outputs) if one.requires_grad}

    def gradients(*values):
        arguments = [one.requires_grad_() if i in differentiated else one for i, one in enumerate(values[:-count])]
        outputs = _differentiable(func(*arguments))
        weights = tuple(one.requires_grad_() if i in weighted else one for i, one in enumerate(values[-count:]))
        leaves = [one for i, one in enumerate(arguments) if i in differentiated]
        found = autograd_grad(outputs, leaves, weights, create_graph=True, allow_unused=True)
        return tuple(one for one in found if one is not None)

    return gradcheck(
        gradients,
        inputs + grad_outputs,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        masked=masked,
    )


def _random_grad(output, noncontiguous):
    from runtime.testing.creation import make_tensor

    dtype = output.dtype if _has_derivative(output) else runtime.float64
    return make_tensor(output.shape, dtype=dtype, device=output.device, low=-1, high=1, requires_grad=True, noncontiguous=noncontiguous)
