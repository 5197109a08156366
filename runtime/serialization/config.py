"""Settings of `save` and `load`: what `torch.utils.serialization.config` is to PyTorch's users.

The functions of `runtime.serialization` that read and set defaults change these attributes; nothing else owns them.
"""

from mmap import MAP_PRIVATE

__all__ = ["load", "save"]


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
