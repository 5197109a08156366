"""Kernels written in Python.

A kernel that ``native_functions.yaml`` names is a function of one of this package's modules if there is one of that name; the module is
imported at the operator's first call. Every function takes the arguments of its schema. Composites call their parts through the
dispatcher, so that autograd, modes and subclasses see them; kernels of the CPU compute over NumPy views of the same memory (`arrays`). What
is called often, or must not allocate, is written in C instead (``kernels/``). Modules that begin with an underscore hold helpers only;
in the others a function is a kernel if an entry names it.
"""
