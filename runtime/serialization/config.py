"""Settings of `save` and `load`: what `torch.utils.serialization.config` is to PyTorch's users.

The functions of `runtime.serialization` that read and set defaults change these attributes; nothing else owns them.
"""

import sys
from contextlib import contextmanager
from mmap import MAP_PRIVATE

__all__ = ["load", "patch", "save"]


class load:
    """Defaults of `runtime.load`: whether files are mapped, how, and the byte order of archives that have no record of theirs."""

    mmap = False
    endianness = None
    mmap_flags = MAP_PRIVATE
    calculate_storage_offsets = False


class save:
    """Defaults of `runtime.save`: whether records get checksums, and the alignment of their first bytes in the file."""

    compute_crc32 = True
    use_pinned_memory_for_d2h = False
    storage_alignment = 64


def patch(name=None, value=None, **changes):
    """Change settings for a block, or for the calls of a function that this decorates.

    Parameters
    ----------
    name : str or dict, optional
        A setting, such as ``"save.storage_alignment"``, or a dict of settings and their values.
    value : object
        Of the setting `name`.
    **changes
        Settings and values, instead of the two.

    Examples
    --------
    >>> from runtime.serialization import config
    >>> with config.patch("save.storage_alignment", 4096):
    ...     config.save.storage_alignment
    4096
    """
    if name is not None:
        if changes:
            raise TypeError("patch(): settings are given by position or by keyword, not both")
        if not isinstance(name, dict if value is None else str):
            raise TypeError(f"patch() takes a setting and its value, or a dict of settings, not a {type(name).__name__}")
        changes = name if value is None else {name: value}
    return _patched({setting: (*_place(setting), value) for setting, value in changes.items()})


def _place(setting):
    """The class and attribute of a setting."""
    owner, _, attribute = setting.partition(".")
    place = getattr(sys.modules[__name__], owner, None) if owner in ("load", "save") else None
    if not hasattr(place, attribute):
        raise AttributeError(f"there is no setting {setting!r}: settings are those of load and save, such as 'load.mmap'")
    return place, attribute


@contextmanager
def _patched(changes):
    before = [(place, attribute, getattr(place, attribute)) for place, attribute, _ in changes.values()]
    try:
        for place, attribute, value in changes.values():
            setattr(place, attribute, value)
        yield
    finally:
        for place, attribute, value in before:
            setattr(place, attribute, value)
