"""The dashboard's main script: page config, navigation and the shared sidebar. Runs the page that was asked for."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.parts import links, resources

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
                "See credits in circulation, revenue and earnings, and where credits went.",
            ),
            screen(
                "explore/balances.py",
                "Balances",
                "account_balance_wallet",
                "See every user's balance, now and over time.",
            ),
            screen(
                "explore/history.py",
                "History",
                "receipt_long",
                "Find a transaction, open its entry, refund it, or download a CSV file.",
            ),
            screen(
                "explore/creator_earnings.py",
                "Creator earnings",
                "payments",
                "See what creators earn and from what, and download monthly statements.",
            ),
        ],
        "Act": [
            screen(
                "test_credits.py",
                "Test bench",
                "science",
                "Add credits, run a prompt, and see who was paid, on one screen.",
            ),
            screen(
                "act/simulate_runs.py", "Simulate runs", "play_circle", "Price a prompt and run it once or many times."
            ),
            screen(
                "act/add_credits.py", "Add credits", "add_card", "Give a user credits: a purchase, grant or adjustment."
            ),
        ],
        "Pricing lab": [
            screen(
                "plans/pricing_lab.py",
                "Pricing lab",
                "biotech",
                "Find hidden problems in a price plan, fix them, and make the plan live.",
            ),
            screen(
                "plans/compare_plans.py",
                "Compare plans",
                "compare",
                "Compare two price plans and edit the second.",
            ),
            screen(
                "models/models.py",
                "Models",
                "model_training",
                "See what every AI model costs, and choose which ones can run.",
            ),
            screen(
                "replay/replay_history.py",
                "Replay history",
                "history",
                "See what past runs would have cost under another price plan.",
            ),
            screen(
                "scenario/scenario.py",
                "Scenario",
                "casino",
                "Try a price plan on up to five million made-up runs.",
            ),
            screen(
                "fees/fee_designer.py",
                "Fee designer",
                "tune",
                "See what users pay and creators earn with a fee or an unlock price.",
            ),
            screen(
                "explain/explain_charge.py",
                "Explain a charge",
                "account_tree",
                "See step by step why a run or an unlock cost what it cost.",
            ),
        ],
        "Build": [
            screen(
                "build/api_console.py",
                "API",
                "api",
                "Make keys for the HTTP API, copy examples, and watch the last calls.",
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
    st.caption(f"1 credit = \\$0.000001 · live plan {resources.book().plan.id}")

links.arrive(page.url_path)
st.title(page.title)
page.run()
