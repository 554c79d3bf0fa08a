"""What was answered, for people: a refusal's sentence and what to do, and links to what the answer is about."""

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

from pages.build.remedies import WHAT_TO_DO
from pages.parts import links, words

_EXPLAINED = {"charge-prompt": "charge", "unlock-flow": "charge", "refund": "refund"}


def colour(status: int) -> Literal["green", "orange", "red"]:
    """Green for an answer, orange for a refusal, red for a failure."""
    return "green" if status < 400 else "orange" if status < 500 else "red"


def sentence(detail: str, code: str, *, documentation: str | None = None) -> None:
    """Why it was refused; under it the rest of the refusal, its code and what to do. `documentation` is a link."""
    reason, _, rest = detail.partition(". ")
    what_to_do = WHAT_TO_DO.get(code, "")
    about = f"[`{code}`]({documentation})" if documentation else f"`{code}`"
    said = [words.plain(rest), f"{about}: {what_to_do}." if what_to_do else about]
    st.error(
        "\n\n".join(filter(None, said)), title=words.plain(reason.rstrip(".") or "Refused"), icon=":material/block:"
    )


def links_from(*found: Mapping[str, Any], entry_id: int | None, path: str) -> None:
    """Links to the entry, to its explanation where it is a charge or refund, and to the user whom a body names."""
    if entry_id is not None:
        _link("explore/history.py", f"Entry {entry_id}", "receipt_long", entry=str(entry_id))
        kind = _EXPLAINED.get(path.rpartition("/")[2])
        if kind is not None:
            _link("explain/explain_charge.py", f"Explain this {kind}", "account_tree", entry=str(entry_id))
    user_id = next((one["user_id"] for one in found if isinstance(one.get("user_id"), str)), None)
    if user_id:
        _link("explore/balances.py", f"Balance of {words.plain(user_id)}", "account_balance_wallet", user=user_id)


def _link(page: str, label: str, icon: str, **query: str) -> None:
    st.page_link(page, label=label, icon=f":material/{icon}:", query_params=links.carry_to(**query), width="content")
