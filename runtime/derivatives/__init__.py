"""What the formulas of kernels/derivatives.yaml call beyond operators: one module for each family of operators.

Functions take gradients as tensors, and None where an argument's name says that it may be missing. They call operators only, so that
they can be differentiated in their turn. Gradients of broadcast and of real arguments are put right by the engine.
"""
