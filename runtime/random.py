"""The state of the default generator of random numbers: seeds, and blocks that leave it as it was."""

import contextlib

from runtime import _core
from runtime._core import default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, _caller="fork_rng", _devices_kw="devices", device_type=None):
    """For a ``with`` block: random numbers go on behind it as if it had not been there.

    Parameters
    ----------
    devices : iterable of int, optional
        Other devices whose state is kept too; there are none.
    enabled : bool
        False for a block that changes nothing.
    device_type : str, optional
        The type of those devices.
    """
    if not enabled:
        yield
        return
    state = _core.get_rng_state()
    try:
        yield
    finally:
        _core.set_rng_state(state)
