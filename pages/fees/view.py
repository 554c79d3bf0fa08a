"""The answer of the fee designer, and a table that compares the two ways to pay."""

from collections.abc import Mapping

import streamlit as st

from credits_core.lab.fees import FeeDesign, Parties
from credits_core.values.text import counted
from pages.fees import charts as fee_charts
from pages.parts import amounts, charts, show, words


def fee_answer(found: FeeDesign, month: Parties, runs: int) -> None:
    """Who gets what of the fee, of one run and in a month, and what fees do to the price of the run."""
    _split(found.fee_split(amounts.exact), found.run_with_fee)
    _parties({"One run": found.run_with_fee, f"Month: {counted(runs, 'run')}": month})
    said = words.plain(" ".join(found.sentences))
    if found.is_inverted:
        less_credits = -found.extra_per_run_credits
        chosen = f"With the chosen fee the user pays {words.both(less_credits)} less than without one."
        st.warning(f"{said} {chosen}", title="This fee makes the run cheaper", icon=":material/swap_vert:")
    else:
        st.caption(said)
    _break_even(found)


def unlock_answer(found: FeeDesign, month: Parties, runs: int, users: int) -> None:
    """Who gets what of the unlock price, of one unlock and in a month in which these users unlock."""
    _split(found.unlock_split(amounts.exact), found.unlock)
    _parties({"One unlock": found.unlock, f"Month: {counted(runs, 'run')}, {counted(users, 'user')}": month})
    _break_even(found)


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
    st.caption(said)


def comparison(with_fee: Parties, unlocked: Parties, runs: int) -> None:
    """What a user of that many runs pays and who gets it, for both ways to pay."""
    _parties(
        {"Fee per run": with_fee, "Unlock once": unlocked},
        first=f"One user, {counted(runs, 'run')}",
        alt="Both ways to pay, side by side",
    )


def _split(sentence: str, parties: Parties) -> None:
    st.header(words.plain(sentence), anchor=False)
    charts.draw(fee_charts.split(parties), alt="What the user pays, split between model, creator and PromptFlow")


def _break_even(found: FeeDesign) -> None:
    st.markdown("\n".join(f"- {words.plain(sentence)}" for sentence in found.break_even_sentences))


def _parties(columns: Mapping[str, Parties], *, first: str = "Who", alt: str = "Who gets what") -> None:
    rows: list[show.Row] = [
        {first: label, **{name: getattr(parties, field) for name, parties in columns.items()}}
        for label, field in (
            ("You get", "creator_credits"),
            ("PromptFlow gets", "platform_credits"),
            ("The model costs", "inference_credits"),
            ("Users pay", "user_credits"),
        )
    ]
    formats: show.Formats = dict.fromkeys(columns, _amount)
    st.table(
        show.small_table(rows, formats),
        border="horizontal",
        hide_index=True,
        alt=alt,
    )


def _amount(credits: int) -> str:
    return words.exact_dollars(credits) if amounts.in_dollars() else words.credits_and_dollars(credits)
