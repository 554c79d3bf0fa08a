"""Inputs for adding credits: the amount, in credits or dollars, and the form with kind and reason."""

from typing import Any

import streamlit as st

from credits_core.access.proposed import AddCredits
from credits_core.errors import InvalidRequest
from credits_core.ledger import actions
from credits_core.ledger.refusals import AccountLooksAlike
from credits_core.store.kinds import CreditSource
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.roles import May
from credits_core.values.text import credits_from_usd, format_bps, format_credits
from pages.parts import action, numbers, pick, proposing, resources, show, undoing, who, words

_QUICK_DOLLARS = ("1", "5", "10", "50", "100")
_UNITS = ("Credits", "Dollars")
_SOURCES = (CreditSource.PURCHASE, CreditSource.GRANT, CreditSource.ADJUSTMENT)
"""What a person adds by hand. A bonus comes with a pack that was paid."""


def amount() -> int | None:
    """The amount in credits, typed as credits (`?amount=`) or as dollars (`?dollars=`), or chosen by a quick button.

    None as long as there is none, or none that can be accepted; what is wrong is shown.
    """
    unit = pick.one("Amount in", _UNITS, key="unit")
    amount_credits = None
    if unit == "Dollars":
        dollars = st.text_input(
            "Dollars", placeholder="12.50", icon=":material/attach_money:", key="dollars", bind="query-params"
        )
        try:
            amount_credits = credits_from_usd(dollars) if dollars.strip() else None
            st.caption(_in_both(amount_credits))
        except InvalidRequest as error:
            st.caption(f":red[{words.refusal_text(error)}]")
    else:
        amount_credits = numbers.whole(
            "Credits", 1, MAX_CREDITS, key="amount", placeholder="For example 250,000", says=_in_both
        )
    plan = resources.book().plan
    if amount_credits is not None and (fee_credits := plan.purchase_fee(amount_credits)):
        price, surcharge = words.both(amount_credits + fee_credits), format_bps(plan.purchase_fee_bps)
        st.caption(f"Buying them costs {price}: {words.plain(plan.id)} adds a surcharge of {surcharge}.")
    with st.container(horizontal=True, gap="xsmall"):
        for dollars in _QUICK_DOLLARS:
            st.button(rf"\${dollars}", key=f"quick:{dollars}", on_click=_take_quick_amount, args=(dollars,))
    return amount_credits


def form(name: str, user_id: str, amount_credits: int | None) -> bool:
    """Kind, reason and the button that adds the amount to the user; a refusal shows under it.

    The outcome stays under `name` for the page to show. Returns whether credits were added just now.
    """
    added = False
    if not who.may_for_or_told(user_id, May.MOVE_CREDITS):
        return False
    action.performed(name)  # makes the key before the button is shown
    with st.form(f"{name}:form", border=False):
        source = pick.one(
            "Kind",
            _SOURCES,
            key="kind",
            usual=CreditSource.PURCHASE,
            is_in_link=False,
            says=lambda one: one.value.capitalize(),
        )
        reason = st.text_input(
            "Reason", max_chars=500, placeholder="Required for a grant or an adjustment", key="reason"
        )
        second = amount_credits is not None and who.actor().needs_second(amount_credits)
        if second:
            proposing.note()
        label = "Propose" if second else "Add credits"
        submitted = st.form_submit_button(label, type="primary", icon=":material/add_card:")
    is_somebody_else = bool(st.session_state.get(_somebody_else(name, user_id)))
    if submitted and not user_id:
        st.warning("Choose a user first.", icon=":material/edit:")
    elif submitted and amount_credits is None:
        st.warning("Choose or type an amount first.", icon=":material/edit:")
    elif submitted and amount_credits is not None and second:
        change = AddCredits(user_id, amount_credits, source, distinct=is_somebody_else)
        said = f"to add {words.both(amount_credits)} to {words.plain(user_id)}"
        if proposing.propose(f"{name}:propose", "Add credits", change, reason=reason, said=said) is None:
            st.rerun()
    elif submitted and amount_credits is not None:
        performed = action.perform(
            name,
            (user_id, amount_credits, source, reason.strip(), is_somebody_else),
            lambda connection, key, now, actor: actions.add_credits(
                connection,
                user_id,
                amount_credits,
                source=source,
                reason=reason,
                key=key,
                now=now,
                actor=actor,
                distinct=is_somebody_else,
            ),
        )
        added = performed.refusal is None and not performed.repeated
        if added and performed.result is not None:
            undoing.note("Add credits", performed.result, "added")
    outcome = action.performed(f"{name}:propose" if second else name)
    if outcome is not None and outcome.refusal is not None and _asked(outcome.request) == (user_id, amount_credits):
        show.refusal(outcome.refusal, undone=f"Nothing was {'proposed' if second else 'added'}.")
        if isinstance(outcome.refusal, AccountLooksAlike):
            st.checkbox(
                "This is somebody else",
                help=f"Then choose {label} again. The two ids stay two users.",
                key=_somebody_else(name, user_id),
            )
    return added


def _asked(request: tuple[Any, ...]) -> tuple[str, int]:
    """The user and the amount of what was asked, whether it was proposed or done."""
    change = request[0]
    return (change.user_id, change.amount_credits) if isinstance(change, AddCredits) else request[:2]


def _somebody_else(name: str, user_id: str) -> str:
    """The key of the box that says that a user whose id looks like another's is somebody else."""
    return f"{name}:somebody-else:{user_id}"


def _in_both(amount_credits: int | None) -> str:
    return "Type an amount, or choose one below." if amount_credits is None else words.both(amount_credits)


def _take_quick_amount(dollars: str) -> None:
    if st.session_state["unit"] == "Dollars":
        st.session_state["dollars"] = dollars
    else:
        st.session_state["amount"] = format_credits(credits_from_usd(dollars))
