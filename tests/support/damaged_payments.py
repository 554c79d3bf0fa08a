"""Damage to purchases and payouts: the statements, the one invariant that reports it, and what that says."""

OF_PAYMENTS: dict[str, tuple[list[str], str, str]] = {
    "a dispute that was lost is called won": (
        ["UPDATE purchase_events SET kind = 'won' WHERE kind = 'lost'"],
        "purchases_follow_from_their_events",
        "of purchase 1 has 1000 taken back, but its money gives 0",
    ),
    "a purchase is said to have more credits": (
        ["UPDATE purchases SET credits = 1001 WHERE id = 2"],
        "purchases_follow_from_their_events",
        "purchase 2 was granted ",
    ),
    "the first receipt is deleted": (
        ["DELETE FROM purchase_receipts WHERE id = 1"],
        "purchases_follow_from_their_events",
        "the 1 receipts are numbered from 2 to 2",
    ),
    "a payout is said to be below the threshold": (
        ["UPDATE payouts SET verdict = 'below_threshold', amount_credits = 0 WHERE creator_id = 'jo'"],
        "payouts_follow_from_their_cycles",
        "says below_threshold 0, but its numbers give paid_out ",
    ),
    "a payout that was paid is said to have failed": (
        ["UPDATE payout_reports SET kind = 'failed', reason = 'x'"],
        "payouts_follow_from_their_cycles",
        "took the steps ['set_aside', 'paid'], but the reports are ['failed']",
    ),
    "a transfer that arrived was in no file for the bank": (
        ["DELETE FROM payout_file_lines"],
        "payouts_follow_from_their_cycles",
        "is said to have arrived, but no bank was told of it",
    ),
    "a payout keeps more in reserve than its rules say": (
        ["UPDATE payouts SET reserved_credits = 1 WHERE creator_id = 'kim'"],
        "payouts_follow_from_their_cycles",
        "holds back 1, but its rules give 0",
    ),
    "one person proposed and approved a cycle": (
        [
            "UPDATE payout_cycles SET actor = 'dashboard/ada@example.org'",
            "UPDATE payout_approvals SET actor = 'dashboard/ada@example.org'",
        ],
        "payouts_follow_from_their_cycles",
        "cycle 1 was proposed and approved by one person",
    ),
    "one person alone says that a transfer failed": (
        [
            "INSERT INTO payout_reports (payout_id, kind, reference, reason, actor, reported_at_us)"
            " SELECT payout_id, 'failed', '', 'No', 'dashboard/ada@example.org', reported_at_us FROM payout_reports",
        ],
        "payouts_follow_from_their_cycles",
        "one person alone said that payout ",
    ),
}
