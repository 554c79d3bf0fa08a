"""Takes a whole batch back: refunds its runs in pieces, and says how many and who bore them."""

import streamlit as st

from credits_core.bulk.batch import Batch, Summary
from credits_core.bulk.batch_refund import BatchRefund, refund_piece
from credits_core.ledger import bearing
from credits_core.values.text import counted
from pages.parts import action, links, resources, show, words

_REASON = "Whole batch taken back on the dashboard"


def offer(name: str, charged: action.Performed[Summary]) -> None:
    """The button that refunds every run of a batch that was charged, what came of it, and a link to the history.

    The outcome stays under `name`, for this batch alone.
    """
    batch: Batch = charged.request
    back = action.performed(name)
    if back is not None and back.request != (batch, charged.key):
        back = None
    if back is not None:
        _outcome(batch, back)
    clicked = False
    with st.container(horizontal=True, vertical_alignment="center"):
        if back is None or back.result is None or not back.is_whole or back.result.refused_count:
            clicked = st.button(
                "Take back the whole batch" if back is None or back.result is None else "Take back the rest",
                icon=":material/undo:",
                help="Refunds every run that is not refunded yet. A refund cannot be undone.",
                key=f"{name}:run",
            )
        st.page_link(
            "explore/history.py",
            label=f"{words.plain(batch.request.user_id)} in the history",
            icon=":material/receipt_long:",
            query_params=links.link_to(user=batch.request.user_id, period="all"),
        )
    if clicked:
        if back is not None and back.is_whole:  # what was refused may be possible now
            action.start_over(name)
        _take_back(name, batch, charged.key)
        st.rerun()


def _take_back(name: str, batch: Batch, batch_key: str) -> None:
    """Refund the batch, or the rest of it, with a progress bar. The refunds' keys are derived from the batch's."""
    progress = st.progress(0.0, "Refunding…")
    for outcome in action.perform_in_pieces(
        name,
        (batch, batch_key),
        lambda connection, _key, now, before: refund_piece(
            connection,
            batch,
            before=before or BatchRefund(),
            key=batch_key,
            reason=_REASON,
            book=resources.book_at(connection),
            now=now,
            actor=action.ACTOR,
        ),
        is_whole=lambda back: back.runs == batch.runs,
    ):
        if outcome.result is not None:
            done = outcome.result.runs
            progress.progress(done / batch.runs, f"{done:,} of {batch.runs:,} runs")
    progress.empty()


def _outcome(batch: Batch, performed: action.Performed[BatchRefund]) -> None:
    back = performed.result or BatchRefund()
    charged = f"{batch.runs - back.not_charged:,} charged runs" if performed.is_whole else counted(batch.runs, "run")
    said = [f"Refunded {back.refunded:,} of {charged}{'' if performed.is_whole else ' so far'}."]
    if back.refunded_before:
        said.append(f"{counted(back.refunded_before, 'run')} had been refunded before.")
    if back.borne is not None:
        said.append(bearing.sentence(back.borne, done=True, name=words.plain, amount=words.both))
    if not performed.is_whole:
        st.warning(" ".join(said), title="Stopped half way", icon=":material/pause_circle:")
        if performed.refusal is not None:
            show.refusal(performed.refusal, undone="The rest of the batch was not refunded.")
    elif back.refused_count:
        st.warning(" ".join(said), icon=":material/warning:")
    elif back.refunded:
        st.success(" ".join(said), icon=":material/undo:")
    else:
        st.info(" ".join(said), icon=":material/undo:")
    for refusals in back.refused.values():
        st.error(
            f"First reason: {words.refusal_text(refusals.first)}",
            title=f"{counted(refusals.count, 'run')} could not be refunded",
            icon=":material/block:",
        )
