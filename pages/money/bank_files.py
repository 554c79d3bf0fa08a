"""The files of a cycle for the bank: makes one of the transfers that are ready, and gives each again."""

import streamlit as st

from credits_core.payments import payout_files
from credits_core.payments.payout_files import BankFile
from credits_core.values.roles import May
from credits_core.values.text import both, counted
from pages.parts import action, clock, done, exporting, links, resources, show, who

_MAKE = "payouts:file"


def draw(cycle_id: int) -> None:
    """Draw the button and the files; nothing of a cycle without transfers to banks."""
    with resources.reading() as connection:
        ready, made = payout_files.ready_transfers(connection, cycle_id), payout_files.of_cycle(connection, cycle_id)
    if not ready and not made:
        return
    st.header("Files for the bank", anchor=False)
    if ready and who.may_or_told(May.MOVE_CREDITS):
        label = f"Make a file of {counted(ready, 'transfer')}"
        if st.button(label, icon=":material/account_balance:", help="Each transfer is in one file alone."):
            _make(cycle_id)
    for one in made:
        _one(one)


def _one(one: BankFile) -> None:
    def content() -> bytes:
        with resources.reading() as connection:
            return payout_files.file(connection, one.id)[1]

    with st.container(horizontal=True, vertical_alignment="center"):
        said = f"{counted(one.transfers, 'transfer')}, {both(one.total_credits)}, made by {one.made_by}"
        st.markdown(f"**File {one.id}** · {said}, {clock.text(one.made_at)}".replace("$", r"\$"))
        exporting.button(
            f"Download file {one.id}",
            content,
            one.name,
            "text/csv",
            icon=":material/download:",
            detail={"cycle": one.cycle_id, "file": one.id},
            is_told=False,
        )


def _make(cycle_id: int) -> None:
    outcome = action.perform(
        _MAKE,
        cycle_id,
        lambda connection, _key, now, actor: payout_files.make(connection, cycle_id, now=now, actor=actor),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="No file was made.")
        return
    link = done.Link("money/payouts.py", f"Cycle {cycle_id}", links.carry_to(cycle=str(cycle_id)))
    done.add("Payouts", f"Made file {outcome.result}. Download it, and give it to the bank once.", link=link)
    action.start_over(_MAKE)
    st.rerun()
