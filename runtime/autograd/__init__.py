"""Derivatives of programs: `backward`, `grad`, custom functions, hooks, forward mode and checks.

The engine and the nodes are the core's (runtime/core/engine.pxi, graph.pxi); formulas stand in kernels/derivatives.yaml. This package holds
what is written in Python on top.
"""
