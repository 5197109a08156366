"""Where storages were and where they go: location tags such as "cpu" in files, and the registry of what writes and honours them.

`save` asks `location_tag`, `load` asks `restorer`. Other devices register themselves with `register_package`.
"""

import runtime
from runtime.functional import typename

__all__ = ["default_restore_location", "location_tag", "register_package", "restorer"]

_packages = []


def register_package(priority, tagger, deserializer):
    """Register how storages of a device are tagged and restored.

    Parameters
    ----------
    priority : int
        Lower ones are asked first.
    tagger : callable
        Gets a storage; returns its tag, or None if the storage is not its own.
    deserializer : callable
        Gets a storage on the CPU and a tag; returns the storage where the tag says, or None if the tag is not its own.
    """
    _packages.append((priority, tagger, deserializer))
    _packages.sort(key=lambda entry: entry[0])


def location_tag(storage):
    """The tag of the place where a storage is: the first that a registered tagger gives.

    Raises
    ------
    RuntimeError
        If no tagger knows the storage's device.
    """
    for _, tagger, _ in _packages:
        location = tagger(storage)
        if location:
            return location
    raise RuntimeError(f"don't know how to determine data location of {typename(storage)}")


def default_restore_location(storage, location):
    """The storage at the place of a tag: what the first registered deserializer gives.

    Raises
    ------
    RuntimeError
        If no deserializer knows the tag.
    """
    for _, _, deserializer in _packages:
        result = deserializer(storage, location)
        if result is not None:
            return result
    raise RuntimeError(f"don't know how to restore data location of {typename(storage)} (tagged with {location})")


def restorer(map_location):
    """The function (storage, tag) -> storage that `load` applies for its argument `map_location`."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(storage, map_location.get(location, location))
    if isinstance(map_location, bytes):
        map_location = map_location.decode("ascii")
    if isinstance(map_location, (str, runtime.device)):
        target = str(map_location)
        return lambda storage, location: default_restore_location(storage, target)
    if not callable(map_location):
        raise TypeError(f"load(): map_location must be a device, a str, a dict, a callable or None, not {type(map_location).__name__}")

    def restore(storage, location):
        result = map_location(storage, location)
        return default_restore_location(storage, location) if result is None else result

    return restore


def _cpu_restore(storage, location):
    return storage if location == "cpu" or location.startswith("cpu:") else None


def _meta_restore(storage, location):
    return runtime.UntypedStorage(storage.nbytes(), device="meta") if location == "meta" else None


def _cuda_restore(storage, location):
    if location.startswith("cuda"):
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are running on a CPU-only "
            "machine, please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU."
        )


def _tagger(kind):
    return lambda storage: kind if storage.device.type == kind else None


register_package(10, _tagger("cpu"), _cpu_restore)
register_package(20, lambda storage: str(storage.device) if storage.device.type == "cuda" else None, _cuda_restore)
register_package(22, _tagger("meta"), _meta_restore)
