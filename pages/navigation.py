"""The dashboard's main script: page config, navigation and the shared sidebar. Runs the page that was asked for."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.parts import resources

_PICTURES = Path(__file__).parent / "parts"
st.logo(str(_PICTURES / "logo.svg"), size="large", icon_image=str(_PICTURES / "icon.svg"))


def screen(file: str, title: str, icon: str, help_text: str) -> StreamlitPage:
    """A page; its path in the URL is its file's name without the area, and the first screen has none."""
    path = Path(file).stem.replace("_", "-")
    is_first = file == "explore/overview.py"
    icon = f":material/{icon}:"
    return st.Page(file, title=title, icon=icon, default=is_first, url_path=None if is_first else path, help=help_text)


page = st.navigation(
    {
        "Explore": [
            screen(
                "explore/overview.py",
                "Overview",
                "monitoring",
                "Credits in circulation, revenue and earnings, and where users' credits went.",
            ),
            screen(
                "explore/balances.py",
                "Balances",
                "account_balance_wallet",
                "Every user's balance, and one user's balance over time.",
            ),
            screen(
                "explore/history.py",
                "History",
                "receipt_long",
                "Every transaction with filters, its entry in full, refunds and CSV download.",
            ),
            screen(
                "explore/creator_earnings.py",
                "Creator earnings",
                "payments",
                "What creators earn, with which prompts and flows, and monthly statements.",
            ),
        ],
        "Act": [
            screen(
                "test_credits.py",
                "Test bench",
                "science",
                "Balances, adding credits, running a prompt, history and creator payments on one screen.",
            ),
            screen(
                "act/simulate_runs.py", "Simulate runs", "play_circle", "Quote and run a prompt once or many times."
            ),
            screen("act/add_credits.py", "Add credits", "add_card", "Purchases, grants and adjustments."),
        ],
        "Pricing lab": [
            screen(
                "plans/pricing_lab.py",
                "Pricing lab",
                "biotech",
                "What a price plan does that nobody reading it sees, its cures, and its way into force.",
            ),
            screen(
                "plans/compare_plans.py",
                "Compare plans",
                "compare",
                "Two plans beside each other, and an editor for the second.",
            ),
            screen(
                "replay/replay_history.py",
                "Replay history",
                "history",
                "What every recorded run would have cost under another price plan, and who could have paid.",
            ),
            screen(
                "scenario/scenario.py",
                "Scenario",
                "casino",
                "Up to five million hypothetical runs under a price plan: who pays, who earns, what is left.",
            ),
            screen(
                "fees/fee_designer.py",
                "Fee designer",
                "tune",
                "What a creator's fee or unlock price means for user, creator and platform.",
            ),
            screen(
                "explain/explain_charge.py",
                "Explain a charge",
                "account_tree",
                "Why a run or an unlock cost what it cost, step by step, computed again and compared.",
            ),
        ],
        "Build": [
            screen(
                "build/api_console.py", "API", "api", "Keys for the HTTP API, examples to copy, and its last calls."
            ),
        ],
    },
    expanded=True,
)

st.set_page_config(
    page_title=f"{page.title} · PromptFlow credits", page_icon=str(_PICTURES / "icon.svg"), layout="wide"
)
with st.sidebar:
    st.badge("Test environment", icon=":material/science:", color="orange")
    st.caption(f"1 credit = \\$0.000001 · price plan {resources.book().plan.id}")

st.title(page.title)
page.run()
