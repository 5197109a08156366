"""`__array_namespace_info__`: what the namespace can do, for those who ask before they compute."""

from runtime import _core
from runtime.array_api._dtypes import ALL, KINDS, complex64, complex128, float64, int64


class __array_namespace_info__:
    """Capabilities, devices and dtypes of the namespace."""

    def capabilities(self):
        """Optional features by the standard's names.

        Returns
        -------
        dict
        """
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self):
        """The device where new arrays are."""
        return _core.device("cpu")

    def devices(self):
        """The devices where arrays can be computed with.

        Returns
        -------
        tuple of device
        """
        return (_core.device("cpu"),)

    def default_dtypes(self, *, device=None):
        """The dtypes of new arrays.

        Parameters
        ----------
        device : device or str, optional

        Returns
        -------
        dict
            By "real floating", "complex floating", "integral" and "indexing".
        """
        _known("default_dtypes", device)
        real = _core.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": complex128 if real is float64 else complex64,
            "integral": int64,
            "indexing": int64,
        }

    def dtypes(self, *, device=None, kind=None):
        """The dtypes of a kind.

        Parameters
        ----------
        device : device or str, optional
        kind : str or tuple of str, optional
            Names of kinds, as in `isdtype`; by default all.

        Returns
        -------
        dict
            By their names.
        """
        _known("dtypes", device)
        if kind is None:
            return dict(ALL)
        found = {}
        for name in kind if isinstance(kind, tuple) else (kind,):
            if name not in KINDS:
                raise ValueError(f"dtypes: there is no kind {name!r}; the kinds are {', '.join(KINDS)}")
            found.update(KINDS[name])
        return found


def _known(name, device):
    if device is not None:
        try:
            _core.device(device)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"{name}: {device!r} is no device: {error}") from error
