"""The dashboard's main script: page config, navigation and the shared sidebar. Runs the page that was asked for."""

from pathlib import Path

import streamlit as st

from pages.parts import runtime

_PICTURES = Path(__file__).parent / "parts"
st.logo(str(_PICTURES / "logo.svg"), size="large", icon_image=str(_PICTURES / "icon.svg"))

page = st.navigation(
    {
        "Explore": [
            st.Page(
                "overview.py",
                title="Overview",
                icon=":material/monitoring:",
                default=True,
                help="Credits in circulation, revenue and earnings, and where users' credits went.",
            ),
            st.Page(
                "balances.py",
                title="Balances",
                icon=":material/account_balance_wallet:",
                url_path="balances",
                help="Every user's balance, and one user's balance over time.",
            ),
            st.Page(
                "history.py",
                title="History",
                icon=":material/receipt_long:",
                url_path="history",
                help="Every transaction with filters, its entry in full, refunds and CSV download.",
            ),
            st.Page(
                "creator_earnings.py",
                title="Creator earnings",
                icon=":material/payments:",
                url_path="creator-earnings",
                help="What creators earn, with which prompts and flows, and monthly statements.",
            ),
        ],
        "Act": [
            st.Page(
                "test_credits.py",
                title="Test bench",
                icon=":material/science:",
                url_path="test-credits",
                help="Balances, adding credits, running a prompt, history and creator payments on one screen.",
            ),
            st.Page(
                "simulate_runs.py",
                title="Simulate runs",
                icon=":material/play_circle:",
                url_path="simulate-runs",
                help="Quote and run a prompt once or many times.",
            ),
            st.Page(
                "add_credits.py",
                title="Add credits",
                icon=":material/add_card:",
                url_path="add-credits",
                help="Purchases, grants and adjustments.",
            ),
        ],
        "Pricing lab": [
            st.Page(
                "pricing_lab.py",
                title="Pricing lab",
                icon=":material/biotech:",
                url_path="pricing-lab",
                help="What a price plan does that nobody reading it sees, its cures, and its way into force.",
            ),
            st.Page(
                "compare_plans.py",
                title="Compare plans",
                icon=":material/compare:",
                url_path="compare-plans",
                help="Two plans beside each other, and an editor for the second.",
            ),
            st.Page(
                "scenario.py",
                title="Scenario",
                icon=":material/casino:",
                url_path="scenario",
                help="Up to five million hypothetical runs under a price plan: who pays, who earns, what is left.",
            ),
            st.Page(
                "replay_history.py",
                title="Replay history",
                icon=":material/history:",
                url_path="replay-history",
                help="What every recorded run would have cost under another price plan, and who could have paid.",
            ),
            st.Page(
                "fee_designer.py",
                title="Fee designer",
                icon=":material/tune:",
                url_path="fee-designer",
                help="What a creator's fee or unlock price means for user, creator and platform.",
            ),
            st.Page(
                "explain_charge.py",
                title="Explain a charge",
                icon=":material/account_tree:",
                url_path="explain-charge",
                help="Why a run or an unlock cost what it cost, step by step, computed again and compared.",
            ),
        ],
        "Build": [
            st.Page(
                "api_console.py",
                title="API",
                icon=":material/api:",
                url_path="api-console",
                help="Keys for the HTTP API, examples to copy, and its last calls.",
            ),
        ],
    }
)

st.set_page_config(
    page_title=f"{page.title} · PromptFlow credits", page_icon=str(_PICTURES / "icon.svg"), layout="wide"
)
with st.sidebar:
    st.badge("Test environment", icon=":material/science:", color="orange")
    st.caption(f"1 credit = \\$0.000001 · price plan {runtime.book().plan.id}")

st.title(page.title)
page.run()
