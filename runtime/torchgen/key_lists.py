"""Reads ``kernels/keys.yaml``: what operators do at dispatch keys where one backend fallback, or none, serves all others.

``fallthrough`` names operators that skip keys, ``autocast`` those whose arguments autocast casts, by device and policy, ``values`` those that
work on the values of a sparse tensor alone. The registrar of `operators` asks for them as registrations; what they mean is written in the
file itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import yaml

__all__ = ["POLICIES", "KeyListError", "key_lists"]

#: Policy of autocast -> its number in C (runtime/core/key_kernels.h).
POLICIES = {
    "lower_precision_fp": "RT_AUTOCAST_LOWER",
    "fp32": "RT_AUTOCAST_FP32",
    "fp32_set_opt_dtype": "RT_AUTOCAST_FP32_SET_OPT_DTYPE",
    "fp32_append_dtype": "RT_AUTOCAST_FP32_APPEND_DTYPE",
    "promote": "RT_AUTOCAST_PROMOTE",
    "banned": "RT_AUTOCAST_BANNED",
}


class KeyListError(ValueError):
    """An entry of the file breaks a rule; the message has the rule and the file."""


def key_lists(path: Path, operators: Collection[str], keys: Collection[str]) -> Iterator[tuple[str, str, str, str]]:
    """The registrations that the file asks for.

    Parameters
    ----------
    path : Path
        The file.
    operators : collection of str
        The names of all operators.
    keys : collection of str
        The keys that kernels register at.

    Yields
    ------
    tuple of str
        Operator, key, "fallthrough", "autocast" or "values", and the policy.

    Raises
    ------
    KeyListError
        If a key, a policy or an operator is unknown, or an operator stands twice for a key.
    """
    lists = yaml.safe_load(path.read_text())
    entries = [(e["keys"].split(), "fallthrough", "", e["operators"].split()) for e in lists["fallthrough"]]
    entries += [([e["key"]], "autocast", e["policy"], e["operators"].split()) for e in lists["autocast"]]
    entries += [([e["key"]], "values", "", e["operators"].split()) for e in lists.get("values", ())]
    seen = set()
    for own, how, policy, names in entries:
        if how == "autocast" and policy not in POLICIES:
            raise KeyListError(f"{path}: {policy!r} is no policy of autocast")
        for key in own:
            if key not in keys:
                raise KeyListError(f"{path}: {key!r} is no key to register at")
            for name in names:
                if name not in operators:
                    raise KeyListError(f"{path}: there is no operator {name!r}")
                if (name, key) in seen:
                    raise KeyListError(f"{path}: {name} has two entries for {key}")
                seen.add((name, key))
                yield name, key, how, policy
