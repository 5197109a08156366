"""CUDA, as far as it exists: the questions that code asks before it uses a GPU, and what PyTorch's functions do where there is none.

Those that ask about memory or set seeds do nothing or give 0; those that need a device raise the error of a PyTorch without CUDA.
"""

from contextlib import nullcontext

from runtime import _core


def is_available():
    """Whether CUDA tensors can be made: not before the CUDA kernels are built."""
    return False


def device_count():
    """The number of usable GPUs."""
    return 0


def is_initialized():
    """Whether a device is in use: False."""
    return False


def is_bf16_supported(including_emulation=True):
    """Whether devices compute in bfloat16: there is none."""
    return False


def get_arch_list():
    """The kinds of devices that the runtime is built for: none."""
    return []


# ---- memory and seeds: nothing to do


def empty_cache():
    """Give memory of devices back: there is none."""


def memory_allocated(device=None):
    """How many bytes of a device's memory are in use: 0."""
    return 0


def max_memory_allocated(device=None):
    """How many bytes of a device's memory were in use at most: 0."""
    return 0


def memory_reserved(device=None):
    """How many bytes of a device's memory are held: 0."""
    return 0


def max_memory_reserved(device=None):
    """How many bytes of a device's memory were held at most: 0."""
    return 0


def manual_seed(seed):
    """Seed the generator of the current device: there is none."""
    int(seed)


def manual_seed_all(seed):
    """Seed the generators of all devices: there are none."""
    int(seed)


def seed():
    """Seed the generator of the current device with a random number: there is none."""


def seed_all():
    """Seed the generators of all devices with a random number: there are none."""


def get_rng_state_all():
    """The states of the generators of all devices: none."""
    return []


def set_rng_state_all(new_states):
    """Set the states of the generators of all devices: there are none."""
    if list(new_states):
        _no_device()


def stream(stream):
    """For a ``with`` block: the queue that work goes to; None changes nothing, and there is no other."""
    if stream is not None:
        _no_device()
    return nullcontext()


# ---- what needs a device


def _no_device():
    raise AssertionError("Torch not compiled with CUDA enabled")


def _function(name, summary):
    def call(*args, **kwargs):
        _no_device()

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{summary} there is no device: raises AssertionError."
    return call


current_device = _function("current_device", "The number of the device that is used by default;")
current_stream = _function("current_stream", "The queue that work goes to;")
default_stream = _function("default_stream", "The queue that work goes to at first;")
get_device_capability = _function("get_device_capability", "What a device can do;")
get_device_name = _function("get_device_name", "What a device is called;")
get_device_properties = _function("get_device_properties", "What a device has;")
get_rng_state = _function("get_rng_state", "The state of a device's generator;")
init = _function("init", "Begin to use devices;")
initial_seed = _function("initial_seed", "The seed of a device's generator;")
ipc_collect = _function("ipc_collect", "Give memory back that other processes shared;")
mem_get_info = _function("mem_get_info", "The memory that a device has;")
set_device = _function("set_device", "Use a device by default;")
synchronize = _function("synchronize", "Wait until a device has finished;")


class Stream:
    """A queue of work for a device: there is none."""

    def __new__(cls, *args, **kwargs):
        raise RuntimeError("torch.cuda.Stream requires CUDA support")


class Event:
    """A point in a queue of work: there is none."""

    def __new__(cls, *args, **kwargs):
        raise RuntimeError("Tried to instantiate dummy base class Event")


class CUDAGraph:
    """Work of a device as a recording: there is none."""

    def __new__(cls, *args, **kwargs):
        raise RuntimeError("Tried to instantiate dummy base class CUDAGraph")


def moved(tensor, device=None, non_blocking=False, memory_format=None):
    """`Tensor.cuda`: a tensor on a CUDA device.

    Parameters
    ----------
    tensor : Tensor
    device : int, device or str, optional
    non_blocking : bool
    memory_format : memory_format, optional

    Returns
    -------
    Tensor
    """
    if device is None:
        device = _core.device("cuda")
    elif isinstance(device, int):
        device = _core.device("cuda", device)
    else:
        device = _core.device(device)
        if device.type != "cuda":
            raise RuntimeError(f"Invalid device, must be cuda device, but got {device}")
    options = {} if memory_format is None else {"memory_format": memory_format}
    try:
        return tensor.to(device, non_blocking=non_blocking, **options)
    except NotImplementedError:
        # Kernels of CUDA may have been registered; without them this is PyTorch without CUDA.
        _no_device()


def __getattr__(name):
    # Functions of later systems are pending names.
    from runtime.compat import resolve

    return resolve(f"torch.cuda.{name}")
