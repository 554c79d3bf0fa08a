"""The hash that seals an activation together with its plan and the seal before it."""

import hashlib


def seal(activation: tuple[int, str, str, str, int], plan: tuple[str, int, str, int], seal_before: str) -> str:
    """The seal of an activation: a hash of it, of its plan as stored, and of the seal before it, empty for the first.

    An activation is its number, plan, reason, actor and microsecond; a plan its TOML, revision, actor and microsecond.
    """
    # ascii() of texts and whole numbers is the same in every Python version.
    return hashlib.sha256(ascii((activation, plan, seal_before)).encode("ascii")).hexdigest()
