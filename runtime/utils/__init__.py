"""Helpers that other parts share: handles of hooks, and the hooks around a module's backward pass."""


def __getattr__(name):
    if name == "data":
        from importlib import import_module

        return import_module("runtime.utils.data")
    if name == "swap_tensors":
        from runtime.utils.swapping import swap_tensors

        return swap_tensors
    raise AttributeError(f"module 'runtime.utils' has no attribute '{name}'")
