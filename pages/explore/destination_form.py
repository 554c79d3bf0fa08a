"""Says where a creator is paid to, and pauses payouts to them, for who may propose payouts."""

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.payments import destinations
from credits_core.payments.destinations import Terms
from credits_core.store.kinds import DestinationKind
from credits_core.values.roles import May
from pages.parts import action, done, links, show, who, words

_SET, _PAUSE = "payouts:destination", "payouts:pause"
_BANK, _GATEWAY = "Bank account", "Account at the gateway"


def draw(creator_id: str, terms: Terms | None) -> None:
    """Draw both, folded."""
    if not who.may(May.PROPOSE_PAYOUTS):
        return
    paused_because = None if terms is None else terms.paused_because
    if paused_because is not None:
        st.warning(words.plain(paused_because), title="Payouts are paused", icon=":material/pause_circle:")
        if st.button("Resume payouts", icon=":material/play_arrow:"):
            _pause(creator_id, None)
    with st.expander("Where to pay", icon=":material/account_balance:"):
        if terms is not None and terms.kind is not None:
            st.markdown(f"Now: **{terms.shown}**.")
        _destination(creator_id)
    if paused_because is None:
        with (
            st.expander("Pause payouts", icon=":material/pause_circle:"),
            st.form(f"pause:{creator_id}", border=False),
        ):
            reason = st.text_input("Why payouts should stop for now", key=f"payouts:reason:{creator_id}")
            if st.form_submit_button("Pause payouts", icon=":material/pause:"):
                _pause(creator_id, reason)


def _destination(creator_id: str) -> None:
    kind = st.radio("Paid to", (_BANK, _GATEWAY), horizontal=True, key=f"payouts:kind:{creator_id}")
    with st.form(f"destination:{creator_id}", border=False):
        if kind == _BANK:
            iban = f"payouts:iban:{creator_id}"
            address = st.text_input("IBAN", placeholder="DE89 3704 0044 0532 0130 00", key=iban)
            holder: str | None = st.text_input("Account owner", key=f"payouts:holder:{creator_id}")
        else:
            account = f"payouts:account:{creator_id}"
            address, holder = st.text_input("Account", placeholder="acct_1032D82eZvKYlo2C", key=account), None
        if not st.form_submit_button("Save", type="primary"):
            return
    missing = _missing(kind == _BANK, address, holder)
    if missing:
        st.warning(missing, icon=":material/edit:")
        return
    to = DestinationKind.BANK if kind == _BANK else DestinationKind.GATEWAY
    outcome = action.perform(
        _SET,
        (creator_id, to, address, holder),
        lambda connection, _key, now, actor: destinations.set_destination(
            connection, creator_id, to, address.strip(), holder=holder, now=now, actor=actor
        ),
    )
    said = None if outcome.result is None else f"is paid to **{outcome.result.shown}** from the next cycle on"
    _told(creator_id, _SET, outcome.refusal, said)


def _missing(is_bank: bool, address: str, holder: str | None) -> str:
    """What is to be entered first; empty when all is there."""
    if not address.strip():
        return (
            "Enter the IBAN." if is_bank else "Enter the account's name at the gateway, such as acct_1032D82eZvKYlo2C."
        )
    if is_bank and not (holder or "").strip():
        return "Enter the name of the account's owner."
    return ""


def _pause(creator_id: str, reason: str | None) -> None:
    outcome = action.perform(
        _PAUSE,
        (creator_id, reason),
        lambda connection, _key, now, actor: destinations.pause(connection, creator_id, reason, now=now, actor=actor),
    )
    said = "is paid again from the next cycle on" if reason is None else "is not paid for now"
    _told(creator_id, _PAUSE, outcome.refusal, said)


def _told(creator_id: str, name: str, refusal: CreditsError | None, said: str | None) -> None:
    if refusal is not None:
        show.refusal(refusal, undone="Nothing was saved.")
        return
    query = links.carry_to(creator=creator_id)
    link = done.Link("explore/creator_earnings.py", creator_id, query)
    done.add("Creators", f"**{words.plain(creator_id)}** {said}.", link=link)
    action.start_over(name)
    st.rerun()
