"""Which pages of the guide (`docs/guide`) belong to a screen, and the links to them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "guide"
INDEX = "README"
SCREENS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Start": ("start/start.py", (INDEX,)),
    "Overview": ("explore/overview.py", (INDEX,)),
    "Balances": ("explore/balances.py", ("find-a-user",)),
    "History": ("explore/history.py", ("refund-a-run", "explain-a-charge")),
    "Creators": ("explore/creator_earnings.py", ("creator-statements", "pay-creators")),
    "Buy credits": ("money/buy_credits.py", ("buy-and-refund",)),
    "Payments": ("money/payments.py", ("buy-and-refund",)),
    "Payouts": ("money/payouts.py", ("pay-creators",)),
    "Checkout": ("money/checkout.py", ("buy-and-refund",)),
    "Explain a charge": ("explain/explain_charge.py", ("explain-a-charge",)),
    "Test bench": ("test_credits.py", ("run-a-prompt", "refund-a-run")),
    "Simulate runs": ("act/simulate_runs.py", ("run-thousands",)),
    "Add credits": ("act/add_credits.py", ("find-a-user",)),
    "Plans": ("plans/pricing_lab.py", ("cure-a-cliff",)),
    "Compare": ("plans/compare_plans.py", ("who-loses",)),
    "Find a plan": ("plans/find_a_plan.py", ("find-a-plan",)),
    "Replay": ("replay/replay_history.py", ("replay-a-month",)),
    "Margin": ("plans/margin.py", ("what-is-left-for-us",)),
    "Scenario": ("scenario/scenario.py", ("try-a-scenario",)),
    "Usage data": ("data/usage_data.py", ("bring-your-own-usage",)),
    "Fees": ("fees/fee_designer.py", ("design-a-fee",)),
    "Models": ("models/models.py", ("models-and-prices",)),
    "People": ("people/people.py", ("who-may-do-what",)),
    "Approvals": ("people/approvals.py", ("approve-a-change",)),
    "Operations": ("operations/operations.py", ("keep-backups",)),
    "Proof": ("operations/proof.py", ("prove-the-ledger",)),
    "Watching": ("operations/watching.py", ("look-into-what-is-unusual",)),
    "Activity": ("people/activity.py", ("who-may-do-what",)),
    "API": ("build/api_console.py", ("use-the-api",)),
    "Webhooks": ("build/webhooks.py", ("tell-other-systems", "use-the-api")),
}
"""By the title of a screen: its file and the pages of the guide about it."""


@cache
def titles() -> dict[str, str]:
    """The title of each page of the guide by its name, which is its file's name without `.md`."""
    return {path.stem: _first_line(path).removeprefix("# ") for path in sorted(FOLDER.glob("*.md"))}


def links_for(screen: str) -> None:
    """A link to each page of the guide about this screen.

    No link to a page that is missing, as where somebody runs the dashboard without the documents.
    """
    _, names = SCREENS.get(screen, ("", ()))
    for name in names:
        if name in titles():
            link(name)


def link(name: str, *, label: str | None = None) -> None:
    """A link to one page of the guide, under its title unless a label is given."""
    said = label or titles()[name]
    st.page_link("guide/guide.py", label=said, icon=":material/menu_book:", query_params={"task": name})


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next(lines).rstrip("\n")
