"""What proves the record: the newest seal, every invariant with its last result, and a check on the spot."""

import json

import streamlit as st

from credits_core.audit import log as audit_log
from credits_core.audit import seal_proofs, seals
from pages.operations import break_it, checking
from pages.parts import clock, head, resources, tables, who, window, words

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
    last, findings = audit_log.last_run(connection), audit_log.last_findings(connection)

wrong = [one for one in findings if not one.is_ok]
if last is None:
    st.info("Choose *Check now*. A large record takes a minute.", title="Not checked yet", icon=":material/help:")
elif wrong or not last.ok:
    found = "\n".join(f"- {words.plain(one.invariant)}: {words.plain(one.first_wrong)}" for one in wrong)
    st.error(found, title=f"{last.broken_invariants} of {last.invariants} checks failed", icon=":material/gpp_bad:")
else:
    st.success(
        f"All {last.invariants} checks passed at {clock.text(last.finished_at)}.", icon=":material/verified_user:"
    )

with st.container(border=True):
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Newest seal", width="stretch")
        if may_check and (left.entries or left.records):
            st.button("Seal now", icon=":material/lock:", on_click=checking.seal_now)
        if newest is not None:
            st.download_button(
                "Download head",
                f"{json.dumps(seal_proofs.head(newest), indent=2)}\n",
                f"head-{newest.number}.json",
                "application/json",
                icon=":material/download:",
                on_click="ignore",
                help="Keep it where nobody who can write to the database can write.",
            )
    if newest is None:
        st.caption("Nothing is sealed yet.")
    else:
        number, hash_, time, rest = [*st.columns(2), *st.columns(2)] if window.is_narrow() else st.columns(4)
        number.metric("Seal", f"{newest.number:,}")
        hash_.metric("Hash begins with", newest.hash[:12])
        time.metric("Sealed", clock.text(newest.sealed_at, "%m-%d %H:%M"), help=clock.text(newest.sealed_at))
        rest.metric(
            "Not sealed yet",
            f"{left.entries:,}",
            help=f"Entries. Other records: {left.records:,}. New ones are sealed once a minute.",
        )
        st.code(newest.hash, language=None, wrap_lines=True)
        signed = "not signed" if newest.key_id is None else f"signed with the key {newest.key_id}"
        st.caption(f"Covers every entry up to {newest.last_entry_id:,}; {signed}.")

if findings:
    st.header("What was checked")
    tables.draw(
        [
            {
                "Result": "Holds" if one.is_ok else "Broken",
                "What must hold": f"{one.invariant[:1].upper()}{one.invariant[1:]}.",
                "Checked": f"{one.checked:,}",
                "Wrong": f"{one.wrong:,}",
                clock.label("When"): one.finished_at,
            }
            for one in sorted(findings, key=lambda one: one.is_ok)
        ],
        {},
        alt="Every invariant with its last result",
        key="invariants",
        opens={},
        if_wide=["Checked"],
    )

break_it.draw()
