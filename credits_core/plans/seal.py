"""Computes the seal of an activation, by which the audit notices a changed journal or plan."""

import hashlib


def seal(activation: tuple[int, str, str, str, int], plan: tuple[str, int, str, int], seal_before: str) -> str:
    """The seal: a hash of the activation, its plan as stored, and the seal before it (empty for the first).

    An activation is (number, plan, reason, actor, microsecond); a plan is (TOML, revision, actor, microsecond).
    """
    # ascii() of texts and whole numbers is the same in every Python version.
    return hashlib.sha256(ascii((activation, plan, seal_before)).encode("ascii")).hexdigest()
