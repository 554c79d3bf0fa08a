"""What proves the record: the newest seal, every invariant with its last result, and a check on the spot."""

import json

import streamlit as st

from credits_core.audit import log as audit_log
from credits_core.audit import seal_proofs, seals
from credits_core.values.text import counted
from pages.operations import break_it, checking, last_check
from pages.parts import clock, head, resources, who

ABOUT = """
The audit checks the whole record: sums, prices, refunds and the database's own guards. Seals are hashes over every
entry and record, each over the one before, so that a later change shows. Keep a head elsewhere: it also tells when
somebody made all seals anew.
"""


with head.line("Proof", "What shows that nobody changed the record.", about=ABOUT):
    may_check = who.more_than_viewer_or_told("check the record here")
    if may_check:
        st.button("Check now", icon=":material/verified:", type="primary", on_click=checking.ask, key="check")
checking.carry_out()

with resources.reading() as connection:
    newest, left = seals.newest(connection), seals.unsealed(connection)
    last, findings = audit_log.verdict(connection), audit_log.last_findings(connection)
    since = audit_log.entries_since(connection, last, most=last_check.MOST_SINCE + 1)
    obstacle = seals.obstacle(connection)
waits = bool(left.entries or left.records)

last_check.show(last, findings, since)

with st.container(border=True):
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Newest seal", width="stretch")
        if may_check and waits and obstacle is None:
            st.button("Seal now", icon=":material/lock:", on_click=checking.seal_now)
        if newest is not None and newest.is_whole():
            st.download_button(
                "Download head",
                f"{json.dumps(seal_proofs.head(newest), indent=2)}\n",
                f"head-{newest.number}.json",
                "application/json",
                icon=":material/download:",
                on_click="ignore",
                help="Keep it where nobody who can write to the database can write.",
            )
    if waits:
        checking.show_why_not_sealed(obstacle)
    if newest is None:
        st.caption("Nothing is sealed yet.")
    elif not newest.is_whole():
        st.error(
            "It does not have the hash of what it says, so nothing more is sealed. Keep a copy of the database, and "
            "tell the engineers.",
            title=f"Seal {newest.number:,} was changed",
            icon=":material/gpp_bad:",
        )
    else:
        number, time, rest = st.columns(3)
        number.metric("Seal", f"{newest.number:,}")
        time.metric(clock.label("Sealed"), f"{clock.shown(newest.sealed_at):%Y-%m-%d %H:%M}")
        rest.metric(
            "Not sealed yet",
            f"{left.entries:,} {'entry' if left.entries == 1 else 'entries'}",
            delta=counted(left.records, "other record"),
            delta_color="gray",
            delta_arrow="off",
            help="New entries and records are sealed once a minute.",
        )
        st.code(newest.hash, language=None, wrap_lines=True)
        signed = "not signed" if newest.key_id is None else f"signed with the key {newest.key_id}"
        st.caption(f"Covers every entry up to {newest.last_entry_id:,}; {signed}.")

if findings:
    st.header("What was checked")
    last_check.table(findings)

break_it.draw()
