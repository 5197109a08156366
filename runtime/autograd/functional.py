"""Derivatives of functions: products with Jacobians and Hessians, and these themselves."""

import contextlib

import runtime
from runtime import _core
from runtime._core import Tensor, enable_grad, set_grad_enabled
from runtime.autograd import forward_ad
from runtime.autograd.backward import grad as autograd_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


# --------------------------------------------------------------------------------------------------- arguments and results


def _as_tuple(value, what, function):
    """Whether a value is a tuple, and a tuple of tensors."""
    several = isinstance(value, tuple)
    values = value if several else (value,)
    for i, one in enumerate(values):
        if not isinstance(one, Tensor):
            at = f"value at index {i}" if several else f"given {what}"
            raise TypeError(f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the {at} has type {type(one)}.")
    return several, values


def _one_or_all(values, several):
    return values if several else values[0]


def _nested(rows, several_rows, several_columns):
    """Rows of columns, without the levels of tuples that arguments or results did not have."""
    return _one_or_all(tuple(_one_or_all(row, several_columns) for row in rows), several_rows)


def _prepared(tensors, create_graph, need_grad):
    """Fresh tensors, to tell arguments of the function from the same tensors that it has of its own."""
    return tuple(t.view_as(t) if create_graph and t.requires_grad else t.detach().requires_grad_(need_grad) for t in tensors)


def _finished(tensors, create_graph):
    """Results, without history unless it is asked for."""
    if create_graph:
        return tensors
    return tuple(t.detach() if isinstance(t, Tensor) else _finished(t, create_graph) for t in tensors)


def _vector(v, of, several, function, create_graph, whose):
    """The vector of a product, which has the shapes of `of`; None stands for 1 where these are a single number."""
    if v is None:
        if len(of) == 1 and of[0].numel() == 1:
            return None
        raise RuntimeError(f"The vector v can only be None if {whose} a single Tensor with a single element.")
    _, v = _as_tuple(v, "v", function)
    v = _prepared(v, create_graph, False)
    if len(v) != len(of):
        if several:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(of)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (one, other) in enumerate(zip(v, of)):
        if one.shape != other.shape:
            where = f"Entry {i} in " if several else ""
            raise RuntimeError(f"{where}v has invalid size: should be torch.Size({list(other.shape)}) but got torch.Size({list(one.shape)}).")
    return v


_RETURNED, _GIVEN = "the user-provided function returns", "the input to the user-provided function is"


# What strict mode refuses, by what was found to need no gradient.
_INDEPENDENT = {
    "outputs": "Output {} of the user-provided function does not require gradients. The outputs must be computed in a differentiable manner "
    "from the input when running in strict mode.",
    "grad_inputs": "The gradient with respect to input {} is independent of the inputs of the user-provided function. This is not allowed in "
    "strict mode.",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided function with respect to input {} is independent "
    "of the input. This is not allowed in strict mode. You should ensure that your function is twice differentiable and that the jacobian "
    "depends on the inputs (this would be violated by a linear function for example).",
    "hessian": "The hessian of the user-provided function with respect to input {} is independent of the input. This is not allowed in strict "
    "mode. You should ensure that your function is thrice differentiable and that the hessian depends on the inputs.",
}


def _construct_standard_basis_for(tensors, tensor_numels):
    """The unit vectors of the space of some tensors: for each tensor its part of all of them, one a row.

    Parameters
    ----------
    tensors : sequence of Tensor
    tensor_numels : sequence of int
        How many elements each has.

    Returns
    -------
    tuple of Tensor
    """
    if len(tensors) != len(tensor_numels) or not tensors:
        raise AssertionError("a basis is for one tensor or more, with as many numbers of elements")
    total, start, parts = sum(tensor_numels), 0, []
    for tensor, count in zip(tensors, tensor_numels):
        part = tensor.new_zeros(total, count)
        part.diagonal(-start).fill_(1)
        parts.append(part)
        start += count
    return tuple(parts)


def _check_dependent(tensors, what, strict):
    """In strict mode, raise for what does not depend on the inputs."""
    if not strict:
        return
    for i, one in enumerate(tensors):
        if one is None:
            raise RuntimeError(f"The output of the user-provided function is independent of input {i}. This is not allowed in strict mode.")
        if not one.requires_grad:
            raise RuntimeError(_INDEPENDENT[what].format(i))


# What strict mode refuses where a gradient is missing, by the run that missed it.
_MISSING = {
    "back": "The output of the user-provided function is independent of input {}. This is not allowed in strict mode.",
    "back_trick": "The gradient with respect to the input is independent of entry {} in the grad_outputs when using the double backward trick "
    "to compute forward mode gradients. This is not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {}. This is not allowed in strict mode.",
    "double_back_trick": "The hessian of the user-provided function is independent of entry {} in the grad_jacobian. This is not allowed in "
    "strict mode as it prevents from using the double backward trick to replace forward mode AD.",
}


def _filled(grads, like, strict, create_graph, run):
    """Gradients with zeros for those that are missing; strict mode refuses these."""
    found = []
    for i, (grad, tensor) in enumerate(zip(grads, like)):
        if grad is None:
            if strict:
                raise RuntimeError(_MISSING[run].format(i))
            grad = runtime.zeros_like(tensor)
        elif strict and create_graph and not grad.requires_grad:
            what = "hessian" if "double" in run else "jacobian"
            raise RuntimeError(
                f"The {what} of the user-provided function is independent of input {i}. This is not allowed in strict mode when create_graph=True."
            )
        found.append(grad)
    return tuple(found)


def _grad(outputs, inputs, grad_outputs=None, create_graph=False, retain_graph=None):
    """Gradients of those outputs that have any; None where there is none."""
    pairs = [(output, grad) for output, grad in zip(outputs, grad_outputs or (None,) * len(outputs)) if output is not None and output.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    outputs, grads = zip(*pairs)
    return autograd_grad(outputs, inputs, grads, allow_unused=True, create_graph=create_graph, retain_graph=retain_graph)


def _recording(create_graph):
    return set_grad_enabled(create_graph or _core.is_grad_enabled())


# --------------------------------------------------------------------------------------------------------------- products


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """The product of a vector and the Jacobian of a function.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor or a tuple of tensors.
    inputs : Tensor or tuple of Tensor
        Where the Jacobian is taken.
    v : Tensor or tuple of Tensor, optional
        The vector, of the results' shapes; 1 for a single number.
    create_graph : bool
        Whether results are recorded, for further derivatives.
    strict : bool
        Whether results that do not depend on the inputs are an error; otherwise their derivatives are zeros.

    Returns
    -------
    results, product : Tensor or tuple of Tensor

    Examples
    --------
    >>> import runtime as rt
    >>> from runtime.autograd import functional
    >>> functional.vjp(lambda x: x * x, rt.tensor([1.0, 2.0]), rt.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        several, inputs = _as_tuple(inputs, "inputs", "vjp")
        inputs = _prepared(inputs, create_graph, True)
        several_outputs, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "vjp")
        _check_dependent(outputs, "outputs", strict)
        v = _vector(v, outputs, several_outputs, "vjp", create_graph, _RETURNED)
    with _recording(create_graph):
        product = _filled(_grad(outputs, inputs, v, create_graph), inputs, strict, create_graph, "back")
    return _one_or_all(_finished(outputs, create_graph), several_outputs), _one_or_all(_finished(product, create_graph), several)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """The product of the Jacobian of a function and a vector, by differentiating `vjp` with respect to its vector.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor or a tuple of tensors.
    inputs : Tensor or tuple of Tensor
        Where the Jacobian is taken.
    v : Tensor or tuple of Tensor, optional
        The vector, of the inputs' shapes; 1 for a single number.
    create_graph : bool
        Whether results are recorded, for further derivatives.
    strict : bool
        Whether results that do not depend on the inputs are an error; otherwise their derivatives are zeros.

    Returns
    -------
    results, product : Tensor or tuple of Tensor
    """
    with enable_grad():
        several, inputs = _as_tuple(inputs, "inputs", "jvp")
        inputs = _prepared(inputs, create_graph, True)
        v = _vector(v, inputs, several, "jvp", create_graph, _GIVEN)
        several_outputs, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "jvp")
        _check_dependent(outputs, "outputs", strict)
        # Backward is linear: any finite gradients give the same graph.
        weights = tuple(runtime.zeros_like(output, requires_grad=True) for output in outputs)
        grads = _grad(outputs, inputs, weights, create_graph=True)
        _check_dependent(grads, "grad_inputs", strict)
    with enable_grad() if create_graph else contextlib.nullcontext():
        product = _filled(_grad(grads, weights, v, create_graph), outputs, strict, create_graph, "back_trick")
    return _one_or_all(_finished(outputs, create_graph), several_outputs), _one_or_all(_finished(product, create_graph), several_outputs)


def _gradient(func, inputs, v, create_graph, strict, name):
    """What products with the Hessian of a scalar function begin with.

    Returns
    -------
    several, inputs, outputs, gradient, v
    """
    several, inputs = _as_tuple(inputs, "inputs", name)
    inputs = _prepared(inputs, create_graph, True)
    v = _vector(v, inputs, several, name, create_graph, _GIVEN)
    several_outputs, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", name)
    _check_dependent(outputs, "outputs", strict)
    if several_outputs:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")
    gradient = _grad(outputs, inputs, create_graph=True)
    _check_dependent(gradient, "jacobian", strict)
    return several, inputs, outputs, gradient, v


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """The product of a vector and the Hessian of a scalar function.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor of one element.
    inputs : Tensor or tuple of Tensor
        Where the Hessian is taken.
    v : Tensor or tuple of Tensor, optional
        The vector, of the inputs' shapes; 1 for a single number.
    create_graph : bool
        Whether results are recorded, for further derivatives.
    strict : bool
        Whether results that do not depend on the inputs are an error; otherwise their derivatives are zeros.

    Returns
    -------
    result : Tensor
    product : Tensor or tuple of Tensor
    """
    with enable_grad():
        several, inputs, outputs, gradient, v = _gradient(func, inputs, v, create_graph, strict, "vhp")
    with _recording(create_graph):
        product = _filled(_grad(gradient, inputs, v, create_graph), inputs, strict, create_graph, "double_back")
    return _finished(outputs, create_graph)[0], _one_or_all(_finished(product, create_graph), several)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """The product of the Hessian of a scalar function and a vector.

    `vhp` gives the same for functions with continuous second derivatives, with less work.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor of one element.
    inputs : Tensor or tuple of Tensor
        Where the Hessian is taken.
    v : Tensor or tuple of Tensor, optional
        The vector, of the inputs' shapes; 1 for a single number.
    create_graph : bool
        Whether results are recorded, for further derivatives.
    strict : bool
        Whether results that do not depend on the inputs are an error; otherwise their derivatives are zeros.

    Returns
    -------
    result : Tensor
    product : Tensor or tuple of Tensor
    """
    with enable_grad():
        several, inputs, outputs, gradient, v = _gradient(func, inputs, v, create_graph, strict, "hvp")
        weights = tuple(runtime.zeros_like(one, requires_grad=True) for one in inputs)
        twice = _grad(gradient, inputs, weights, create_graph=True)
        _check_dependent(gradient, "hessian", strict)
    with _recording(create_graph):
        product = _filled(_grad(twice, weights, v, create_graph), inputs, strict, create_graph, "double_back_trick")
    return _finished(outputs, create_graph)[0], _one_or_all(_finished(product, create_graph), several)


# --------------------------------------------------------------------------------------------------------------- matrices


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """The Jacobian of a function.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor or a tuple of tensors.
    inputs : Tensor or tuple of Tensor
        Where the Jacobian is taken.
    create_graph : bool
        Whether it is recorded, for further derivatives.
    strict : bool
        Whether results that do not depend on the inputs are an error; otherwise their derivatives are zeros.
    vectorize : bool
        Whether rows may be computed together; needed for forward mode. The values are the same.
    strategy : {"reverse-mode", "forward-mode"}
        Whether rows or columns are computed: the second is less work for more results than inputs.

    Returns
    -------
    Tensor, tuple of Tensor, or tuple of tuples of Tensor
        By result, then by input: tensors of the shape of the result followed by that of the input.

    Examples
    --------
    >>> import runtime as rt
    >>> from runtime.autograd import functional
    >>> functional.jacobian(lambda x: x * x, rt.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than inputs, '
            '"forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        return _by_columns(func, inputs, create_graph, strict, vectorize)
    with enable_grad():
        several, inputs = _as_tuple(inputs, "inputs", "jacobian")
        inputs = _prepared(inputs, create_graph, True)
        several_outputs, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "jacobian")
        _check_dependent(outputs, "outputs", strict)
        if vectorize and strict:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. Please either set "
                "`strict=False` or `vectorize=False`."
            )
        blocks = tuple(_rows(i, output, inputs, create_graph, strict) for i, output in enumerate(outputs))
    return _nested(_finished(blocks, create_graph), several_outputs, several)


def _rows(number, output, inputs, create_graph, strict):
    """The Jacobian of one result: a tensor for each input."""
    found = [[] for _ in inputs]
    flat = output.reshape(-1)
    for j in range(flat.numel()):
        for i, grad in enumerate(_grad((flat[j],), inputs, retain_graph=True, create_graph=create_graph)):
            if grad is None:
                if strict:
                    raise RuntimeError(
                        f"Output {number} of the user-provided function is independent of input {i}. This is not allowed in strict mode."
                    )
                grad = runtime.zeros_like(inputs[i])
            elif strict and create_graph and not grad.requires_grad:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {number}. This is not allowed in strict mode when "
                    f"create_graph=True."
                )
            found[i].append(grad)
    return tuple(
        (runtime.stack(rows) if rows else one.new_zeros((0, *one.shape))).view((*output.shape, *one.shape)) for rows, one in zip(found, inputs)
    )


def _by_columns(func, inputs, create_graph, strict, vectorize):
    """The Jacobian by forward mode, a column for each element of the inputs."""
    if create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported together (yet). Please '
            'either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported together (yet). Please either '
            'set `strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError("Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for `vectorize=True`.")
    several, inputs = _as_tuple(inputs, "inputs", "jacobian")
    blocks, several_outputs = None, False
    for place, one in enumerate(inputs):
        columns = []
        for k in range(one.numel()):
            tangents = [other.new_zeros(other.shape) for other in inputs]
            tangents[place].view(-1)[k] = 1
            with forward_ad.dual_level():
                duals = tuple(forward_ad.make_dual(value, tangent) for value, tangent in zip(inputs, tangents))
                several_outputs, outputs = _as_tuple(func(*duals), "outputs of the user-provided function", "jacobian")
                pairs = [forward_ad.unpack_dual(output) for output in outputs]
                columns.append([runtime.zeros_like(pair.primal) if pair.tangent is None else pair.tangent for pair in pairs])
        if not columns:
            several_outputs, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "jacobian")
            made = [output.new_zeros((*output.shape, *one.shape)) for output in outputs]
        else:
            made = [runtime.stack(parts, -1).reshape((*parts[0].shape, *one.shape)) for parts in zip(*columns)]
        blocks = [[] for _ in made] if blocks is None else blocks
        for row, block in zip(blocks, made):
            row.append(block)
    return _nested(tuple(map(tuple, blocks)), several_outputs, several)


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The Hessian of a scalar function.

    Parameters
    ----------
    func : callable
        Takes tensors and returns a tensor of one element.
    inputs : Tensor or tuple of Tensor
        Where the Hessian is taken.
    create_graph : bool
        Whether it is recorded, for further derivatives.
    strict : bool
        Whether results that do not depend on the inputs are an error; otherwise their derivatives are zeros.
    vectorize : bool
        Whether rows may be computed together; needed for forward mode. The values are the same.
    outer_jacobian_strategy : {"reverse-mode", "forward-mode"}
        How the gradient is differentiated.

    Returns
    -------
    Tensor or tuple of tuples of Tensor
        By input, twice.

    Examples
    --------
    >>> import runtime as rt
    >>> from runtime.autograd import functional
    >>> functional.hessian(lambda x: (x * x).sum(), rt.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 2.]])
    """
    several, inputs = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def scalar(*values):
        out = func(*values)
        several_outputs, outputs = _as_tuple(out, "outputs of the user-provided function", "hessian")
        _check_dependent(outputs, "outputs", strict)
        if several_outputs:
            raise RuntimeError("The function given to hessian should return a single Tensor")
        if out.numel() != 1:
            raise RuntimeError("The Tensor returned by the function given to hessian should contain a single element")
        return out.squeeze()

    def gradient(*values):
        if outer_jacobian_strategy == "forward-mode":
            values = tuple(value.requires_grad_(True) for value in values)
        found = jacobian(scalar, values, create_graph=True)
        _check_dependent(found, "jacobian", strict)
        return found

    blocks = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return _nested(blocks, several, several)
