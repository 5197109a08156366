"""The accelerator of this machine, as programs ask for it: there is none."""

__all__ = ["current_accelerator", "device_count", "is_available", "synchronize"]


def is_available():
    """Whether there is one: False."""
    return False


def device_count():
    """How many devices it has: 0."""
    return 0


def current_accelerator(check_available=False):
    """Its device: None."""
    return None


def synchronize(device=None):
    """Wait until it has finished: nothing to wait for."""
