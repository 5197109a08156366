"""The harness that tests written against PyTorch's import: `common_utils`, `device_type`, and the operator databases."""


def __getattr__(name):
    if name == "_internal":
        from runtime.compat import resolve

        return resolve("torch.testing._internal")
    raise AttributeError(f"module 'runtime.testing' has no attribute '{name}'")
