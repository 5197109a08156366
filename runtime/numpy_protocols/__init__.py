"""What NumPy's own functions do with tensors: ``__array_ufunc__`` and ``__array_function__`` as far as the core does not answer.

`arrays` makes tensors of operands and lends memory to NumPy, `ufuncs` has the ufuncs and their methods; `functions` is the list of all
other functions, whose meanings stand in `shapes`, `reductions` and `algebra`. The core imports `ufuncs` and `functions` at first use.

The rule everywhere: a function that is an operator, or made of some, is computed by operators, with PyTorch's dtypes, on any device, seen
by autograd, modes and subclasses. What has none is computed by NumPy on memory that CPU tensors lend, with NumPy's dtypes.
"""
