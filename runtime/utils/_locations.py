"""Paths for tests and tools, what PyTorch has in `torch._utils_internal`: beside the package, in writable folders, of libraries."""

import os
import tempfile

import runtime

__all__ = [
    "TEST_MASTER_ADDR", "TEST_MASTER_PORT", "get_file_path", "get_file_path_2", "get_writable_path", "prepare_multiprocessing_environment",
    "resolve_library_path",
]  # fmt: skip

TEST_MASTER_ADDR = "127.0.0.1"
TEST_MASTER_PORT = 29500


def get_file_path(*path_components):
    """A path below the folder that the package is in."""
    return os.path.join(os.path.dirname(os.path.dirname(runtime.__file__)), *path_components)


def get_file_path_2(*path_components):
    """The parts of a path, joined."""
    return os.path.join(*path_components)


def get_writable_path(path):
    """The path itself if it can be written to; otherwise a new temporary folder."""
    return path if os.access(path, os.W_OK) else tempfile.mkdtemp(suffix=os.path.basename(path))


def prepare_multiprocessing_environment(path):
    """Set up what subprocesses of a program at a path need: nothing."""


def resolve_library_path(path):
    """The path without links."""
    return os.path.realpath(path)
