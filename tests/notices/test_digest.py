"""One message about all that is to be told."""

from datetime import timedelta

from credits_core.notices.digest import Message, Told, digest
from tests.support.world import NOW

LATER = NOW + timedelta(minutes=90)


def test_there_is_no_message_when_there_is_nothing_to_tell() -> None:
    assert digest([]) is None


def test_what_is_wrong_stands_before_what_is_over_in_one_message() -> None:
    faults = [
        Told("SealsBehind", "Entries wait for a seal.", NOW, LATER),
        Told("NoLeader", "No process runs the jobs.", NOW),
        Told("BackupTooOld", "The last backup is 40 hours old.", LATER),
    ]
    assert digest(faults) == Message(
        "PromptFlow credits: 2 wrong, 1 over",
        "WRONG since 2026-03-01 12:00 UTC: No process runs the jobs. (NoLeader in docs/runbook.md)\n"
        "WRONG since 2026-03-01 13:30 UTC: The last backup is 40 hours old. (BackupTooOld in docs/runbook.md)\n"
        "OVER since 2026-03-01 13:30 UTC: Entries wait for a seal. It began 2026-03-01 12:00 UTC.",
    )


def test_a_message_of_what_is_over_alone_says_nothing_is_wrong() -> None:
    message = digest([Told("SealsBehind", "Entries wait for a seal.", NOW, LATER)])
    assert message is not None
    assert message.title == "PromptFlow credits: 1 over"
