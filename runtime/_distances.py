"""Distances whose functions take other arguments than their operators."""

from runtime import _core

_MODES = {
    "use_mm_for_euclid_dist_if_necessary": None,
    "use_mm_for_euclid_dist": 1,
    "donot_use_mm_for_euclid_dist": 2,
}


def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distances of each pair of rows of two tensors.

    Parameters
    ----------
    x1, x2 : Tensor
        (..., P, M) and (..., R, M).
    p : float
        Not negative; may be infinite.
    compute_mode : str
        Whether Euclidean distances may come from a matrix product, which is fast and less exact: "use_mm_for_euclid_dist_if_necessary"
        (for more than 25 rows), "use_mm_for_euclid_dist" or "donot_use_mm_for_euclid_dist".

    Returns
    -------
    Tensor
        (..., P, R).
    """
    if compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    return _core.functions["cdist"](x1, x2, p, _MODES[compute_mode])
