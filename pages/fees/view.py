"""Sentences of the fee designer, and a table that compares the two ways to pay."""

import streamlit as st

from credits_core.lab.fees import FeeDesign, Parties
from credits_core.values.text import counted
from pages.parts import show, words


def run_sentences(found: FeeDesign) -> None:
    """What fees do to this run's price, and that the chosen one is among those that make it cheaper, if it is."""
    said = words.plain(" ".join(found.sentences))
    if found.is_inverted:
        less_credits = -found.extra_per_run_credits
        chosen = f"With the chosen fee the user pays {words.both(less_credits)} less than without one."
        st.warning(f"{said} {chosen}", title="This fee makes the run cheaper", icon=":material/swap_vert:")
    else:
        st.info(said, icon=":material/swap_vert:")


def unlock_sentence(found: FeeDesign, runs: int, worthwhile_credits: int) -> None:
    """What a run costs after unlocking, and the unlock price that the runs are worth."""
    said = (
        f"After unlocking, a run costs {words.both(found.run_without_fee.user_credits)}: "
        "it has no creator fee, and our markup applies."
    )
    if worthwhile_credits:
        said += (
            f" For {counted(runs, 'run')}, an unlock price up to {words.both(worthwhile_credits)} costs the user "
            f"no more than paying the fee of {words.both(found.fee_credits)} each time."
        )
    else:
        said += f" For {counted(runs, 'run')}, no unlock price saves the user money, because the fees add no cost."
    st.info(said, icon=":material/lock_open:")


def comparison(with_fee: Parties, unlocked: Parties, runs: int) -> None:
    """What a user of that many runs pays and who gets it, for both ways to pay."""
    rows: list[show.Row] = [
        {
            f"For {counted(runs, 'run')}": name,
            "User pays": parties.user_credits,
            "Inference": parties.inference_credits,
            "Creator gets": parties.creator_credits,
            "Platform gets": parties.platform_credits,
        }
        for name, parties in (("Fee per run", with_fee), ("Unlock once", unlocked))
    ]
    columns = ("User pays", "Inference", "Creator gets", "Platform gets")
    formats: show.Formats = dict.fromkeys(columns, words.credits_and_dollars)
    st.table(
        show.small_table(rows, formats), border="horizontal", hide_index=True, alt="Both ways to pay, side by side"
    )
