"""CUDA, as far as it exists: the questions that code asks before it uses a GPU."""


def is_available():
    """Whether CUDA tensors can be made: not before the CUDA kernels are built."""
    return False


def device_count():
    """The number of usable GPUs."""
    return 0


def __getattr__(name):
    # Functions of later systems are pending names.
    from runtime.compat import resolve

    return resolve(f"torch.cuda.{name}")
