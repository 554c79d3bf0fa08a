"""The form in which the ledger keeps a caller's idempotency key: one caller's alone, whatever the names and keys."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.access.callers import scoped_key

VISIBLE = re.compile(r"[!-~]{1,400}")
ID = "ABCabc019._@/|+-"
names = st.text(min_size=1, max_size=64)
ids = st.builds(str.__add__, st.sampled_from("Ab0"), st.text(ID, max_size=63))
sent = st.text([chr(code) for code in range(33, 127)], min_size=1, max_size=255)


@pytest.mark.parametrize("name", ["shop", "a" * 64, "0.@/|+-_", "é", "sha256=x", "ä" * 64, "a:b", "語" * 64, "=" * 300])
def test_a_kept_key_is_visible_ascii_of_at_most_400_characters(name: str) -> None:
    assert VISIBLE.fullmatch(scoped_key(name, "~" * 255))


def test_a_callers_key_is_kept_under_the_name() -> None:
    assert scoped_key("shop", "order-9") == "caller:shop:order-9"
    assert scoped_key("7", "order-9") == "caller:7:order-9"  # and not the key of the caller with the number 7


@given(names | ids, sent, names | ids, sent)
def test_two_callers_or_two_keys_are_never_kept_as_one(name: str, key: str, other: str, other_key: str) -> None:
    assert (scoped_key(name, key) == scoped_key(other, other_key)) == ((name, key) == (other, other_key))


@given(names | ids, sent)
def test_a_kept_key_is_nobody_elses(name: str, key: str) -> None:
    others = ("api:", "dashboard:", "demo:", "replay:", "legacy:")
    assert not scoped_key(name, key).startswith(others)
