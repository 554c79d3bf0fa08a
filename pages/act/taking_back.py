"""A batch in the list of this visit, and its undo: refunds its runs in pieces, says how many and who bore them."""

from functools import partial

import streamlit as st

from credits_core.bulk.batch import Batch, Summary
from credits_core.bulk.batch_refund import BatchRefund, refund_piece
from credits_core.ledger import bearing
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.parts import action, done, links, resources, show, who, words

_REASON = "Batch refunded on the dashboard"
_ASKED = "taking-back:asked"


def note(screen: str, charged: action.Performed[Summary]) -> None:
    """List the batch, or as much of it as was charged, as done on this screen. A whole one can be refunded there."""
    batch, summary = charged.request, charged.result or Summary()
    if not summary.charged:
        return
    done.add(
        screen,
        f"{words.plain(batch.request.user_id)} paid {words.both(summary.total_credits)} for "
        f"{summary.charged:,} of {counted(batch.runs, 'run')}",
        link=done.Link("explore/history.py", "Its runs", _runs_of(charged.key)),
        asks=partial(_ask, charged) if charged.is_whole else None,
        undo_label="Refund",
        is_shown=False,
        name=_name(charged.key),
    )


def question() -> None:
    """Draw the question whether to refund a batch, as long as it is asked. For the navigation, on every screen."""
    asked: action.Performed[Summary] | None = st.session_state.get(_ASKED)
    if asked is not None:
        _dialog(asked)


def offer(charged: action.Performed[Summary]) -> None:
    """The button that refunds every run of a batch that was charged, what came of it, and a link to its runs."""
    batch: Batch = charged.request
    name = _name(charged.key)
    back = action.performed(name)
    if back is not None:
        _outcome(batch, back)
    clicked = False
    with st.container(horizontal=True, vertical_alignment="center"):
        if not _is_done(back) and who.may_for(batch.request.user_id, May.MOVE_CREDITS):
            clicked = st.button(
                _label(back),
                icon=":material/undo:",
                help="Refunds every run that is not refunded yet. A refund cannot be undone.",
                key=f"{name}:run",
            )
        st.page_link(
            "explore/history.py",
            label="Runs of this batch",
            icon=":material/receipt_long:",
            query_params=_runs_of(charged.key),
        )
    if clicked:
        _take_back(batch, charged.key)
        st.rerun()


def _name(batch_key: str) -> str:
    return f"batch:{batch_key}"


def _runs_of(batch_key: str) -> dict[str, str | list[str]]:
    return links.link_to(batch=batch_key, period="all")


def _ask(charged: action.Performed[Summary]) -> None:
    st.session_state[_ASKED] = charged


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Refund this batch?", icon=":material/undo:", on_dismiss=_stop_asking)
def _dialog(charged: action.Performed[Summary]) -> None:
    batch, summary = charged.request, charged.result or Summary()
    st.markdown(
        f"{words.plain(batch.request.user_id)} gets back at most {words.both(summary.total_credits)} for "
        f"{counted(summary.charged, 'run')}. Runs already refunded are left out. A refund cannot be undone."
    )
    name, what_came_of_it = _name(charged.key), st.container()
    back = action.performed(name)
    if st.button(_label(back), type="primary", icon=":material/undo:", key="taking-back:run"):
        _take_back(batch, charged.key)
        back = action.performed(name)
        if _is_done(back):
            _stop_asking()
            st.rerun()
    if back is not None:  # no other screen would say what was refused
        with what_came_of_it:
            _outcome(batch, back)


def _label(back: action.Performed[BatchRefund] | None) -> str:
    return "Refund this batch" if back is None or back.result is None else "Refund the rest"


def _is_done(back: action.Performed[BatchRefund] | None) -> bool:
    """Whether nothing is left to refund."""
    return back is not None and back.result is not None and back.is_whole and not back.result.refused_count


def _take_back(batch: Batch, batch_key: str) -> None:
    """Refund the batch, or the rest of it, with a progress bar. The refunds' keys are derived from the batch's."""
    name = _name(batch_key)
    before = action.performed(name)
    if before is not None and before.is_whole:  # what was refused may be possible now
        action.start_over(name)
    progress = st.progress(0.0, "Refunding…")
    for outcome in action.perform_in_pieces(
        name,
        (batch, batch_key),
        lambda connection, _key, now, actor, before: refund_piece(
            connection,
            batch,
            before=before or BatchRefund(),
            key=batch_key,
            reason=_REASON,
            book=resources.book_at(connection),
            now=now,
            actor=actor,
        ),
        is_whole=lambda back: back.runs == batch.runs,
    ):
        if outcome.result is not None:
            so_far = outcome.result.runs
            progress.progress(so_far / batch.runs, f"{so_far:,} of {batch.runs:,} runs")
    progress.empty()
    if _is_done(outcome):
        done.undone(name, _said(batch, outcome))


def _outcome(batch: Batch, performed: action.Performed[BatchRefund]) -> None:
    back, said = performed.result or BatchRefund(), _said(batch, performed)
    if not performed.is_whole:
        st.warning(said, title="Stopped half way", icon=":material/pause_circle:")
        if performed.refusal is not None:
            show.refusal(performed.refusal, undone="The rest of the batch was not refunded.")
    elif back.refused_count:
        st.warning(said, icon=":material/warning:")
    elif back.refunded:
        st.success(said, icon=":material/undo:")
    else:
        st.info(said, icon=":material/undo:")
    for refusals in back.refused.values():
        st.error(
            f"First reason: {words.refusal_text(refusals.first)}",
            title=f"{counted(refusals.count, 'run')} could not be refunded",
            icon=":material/block:",
        )


def _said(batch: Batch, performed: action.Performed[BatchRefund]) -> str:
    back = performed.result or BatchRefund()
    charged = f"{batch.runs - back.not_charged:,} charged runs" if performed.is_whole else counted(batch.runs, "run")
    said = [f"Refunded {back.refunded:,} of {charged}{'' if performed.is_whole else ' so far'}."]
    if back.refunded_before:
        said.append(f"{counted(back.refunded_before, 'run')} had been refunded before.")
    if back.borne is not None:
        said.append(bearing.sentence(back.borne, done=True, name=words.plain, amount=words.both))
    return " ".join(said)
