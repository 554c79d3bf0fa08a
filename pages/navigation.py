"""The dashboard's main script: page config, navigation and the shared sidebar. Runs the page that was asked for."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from credits_core import logs
from pages.act import taking_back
from pages.parts import amounts, done, find, links, proposing, refunding, resources, sign_in, window
from pages.parts.visitor import Visitor
from pages.parts.words import plain

_PICTURES = Path(__file__).parent / "parts"
_SIDEBAR_PIXELS = 220
st.set_page_config(
    page_icon=str(_PICTURES / "icon.svg"),
    layout="wide",
    initial_sidebar_state="collapsed" if window.is_narrow() else _SIDEBAR_PIXELS,
)
st.logo(str(_PICTURES / "logo.svg"), size="large", icon_image=str(_PICTURES / "icon.svg"))


def screen(file: str, title: str, icon: str, help_text: str, *, hidden: bool = False) -> StreamlitPage:
    """A page; its path in the URL is its file's name without the area, and the first screen has none.

    The icon is part of the title: given as an icon, it would also become the tab's, which Streamlit fetches from
    another machine.
    """
    path = Path(file).stem.replace("_", "-")
    is_first = file == "explore/overview.py"
    return st.Page(
        file,
        title=f":material/{icon}: {title}",
        icon="",
        default=is_first,
        url_path=None if is_first else path,
        visibility="hidden" if hidden else "visible",
        help=help_text,
    )


START = screen("start/start.py", "Start", "rocket_launch", "Choose how to begin, and see what to try first.")
SCREENS = {
    "": [START],
    "Money": [
        screen(
            "explore/overview.py",
            "Overview",
            "monitoring",
            "See what users spent, who received it, and what everyone holds.",
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
            "Find an entry, open it, refund it, or download a CSV file.",
        ),
        screen(
            "explore/creator_earnings.py",
            "Creators",
            "payments",
            "See what creators earn and from what, and download monthly statements.",
        ),
        screen(
            "money/buy_credits.py",
            "Buy credits",
            "shopping_cart",
            "Buy a pack for a user, see every purchase, and refund one.",
        ),
        screen(
            "money/payments.py",
            "Payments",
            "credit_score",
            "Follow a payment step by step, and compare with the gateway's books.",
        ),
        screen(
            "money/payouts.py",
            "Payouts",
            "send_money",
            "Pay creators what they earned, and see why somebody was not paid.",
        ),
        screen(
            "money/checkout.py",
            "Checkout",
            "shopping_cart_checkout",
            "The sandbox's payment page, on which no money moves.",
            hidden=True,
        ),
        screen(
            "explain/explain_charge.py",
            "Explain a charge",
            "account_tree",
            "See step by step why a run or an unlock cost what it cost.",
            hidden=True,
        ),
    ],
    "Try it": [
        screen(
            "test_credits.py",
            "Test bench",
            "science",
            "Add credits, run a prompt, and see who was paid, on one screen.",
        ),
        screen(
            "act/simulate_runs.py",
            "Simulate runs",
            "play_circle",
            "Price a prompt and run it once or many times.",
            hidden=True,
        ),
        screen(
            "act/add_credits.py", "Add credits", "add_card", "Give a user credits: a purchase, grant or adjustment."
        ),
    ],
    "Pricing": [
        screen(
            "plans/pricing_lab.py",
            "Plans",
            "biotech",
            "Find hidden problems in a price plan, fix them, and make the plan live.",
        ),
        screen("plans/compare_plans.py", "Compare", "compare", "Compare two price plans and edit the second."),
        screen("plans/find_a_plan.py", "Find a plan", "travel_explore", "Search for better prices within your limits."),
        screen(
            "replay/replay_history.py",
            "Replay",
            "history",
            "See what past runs would have cost under another price plan.",
        ),
        screen("plans/margin.py", "Margin", "account_balance", "See what is left for us, and who loses money for us."),
        screen(
            "data/usage_data.py",
            "Usage data",
            "upload_file",
            "Bring in usage of another system, to price it under any plan.",
        ),
        screen("scenario/scenario.py", "Scenario", "casino", "Try a price plan on up to five million made-up runs."),
        screen(
            "fees/fee_designer.py",
            "Fees",
            "tune",
            "See what users pay and creators earn with a fee or an unlock price.",
        ),
        screen(
            "models/models.py",
            "Models",
            "model_training",
            "See what every AI model costs, and choose which ones can run.",
        ),
    ],
    "People": [
        screen(
            "people/approvals.py",
            "Approvals",
            "how_to_reg",
            "Approve or decline what another person proposed.",
            hidden=not sign_in.is_on(),
        ),
        screen(
            "people/activity.py",
            "Activity",
            "manage_history",
            "See who changed keys, plans, prices and people, and when.",
        ),
        screen(
            "people/people.py",
            "People",
            "group",
            "See who may use the dashboard, and as what.",
            hidden=not sign_in.is_on(),  # nobody has a use for it then, and the sidebar is full
        ),
    ],
    "Operations": [
        screen(
            "operations/operations.py", "Operations", "settings_suggest", "See what runs by itself, and every backup."
        ),
        screen("operations/proof.py", "Proof", "verified_user", "See what proves the record, and check it now."),
        screen(
            "operations/watching.py",
            "Watching",
            "visibility",
            "See what is unusual in the credits, and note what it was.",
        ),
    ],
    "Developers": [
        screen(
            "build/api_console.py",
            "API",
            "api",
            "Try the HTTP API, see why a call was refused, and make keys.",
        ),
        screen(
            "build/webhooks.py",
            "Webhooks",
            "webhook",
            "Tell other systems what happens, and see what they answered.",
        ),
        screen("guide/guide.py", "Guide", "menu_book", "One short page for each task, with pictures.", hidden=True),
    ],
}


def inside(page: StreamlitPage, visitor: Visitor) -> None:
    """The screen and the sidebar of somebody who is let in."""
    sign_in.banner()
    found = st.empty()
    if links.is_elsewhere(page.url_path):
        find.forget()
    with st.sidebar:
        find.box([one for group in SCREENS.values() for one in group], found)
        live = resources.book().plan.id
        st.page_link(
            "plans/pricing_lab.py",
            label=plain(live),
            icon=":material/sell:",
            query_params=links.carry_to(plan=live),
            help=f"{live} is live: it prices every run and unlock. Open it.",
        )
        proposing.waiting_link()
        amounts.switch()
        listed = done.activity()
        if resources.is_demo():
            st.badge("Test environment", icon=":material/science:", color="orange")
        sign_in.name_tag(visitor)
        sign_in.watch(visitor)
        window.watch()

    if page != START and resources.is_undecided():
        if not page.url_path:  # who only opens the dashboard is asked
            st.switch_page(START)
        with st.container(horizontal=True, vertical_alignment="center", key="undecided"):
            st.markdown(":material/info: This database is empty.", width="content")
            st.page_link(START, label="Choose how to begin", icon=":material/rocket_launch:")
    refunding.question()
    taking_back.question()
    links.arrive(page.url_path)
    page.run()
    if done.all_done() != listed:  # the sidebar was drawn before
        st.rerun()


logs.begin()
there = sign_in.visiting()
opened = st.navigation(SCREENS, expanded=True, position="sidebar" if there.is_let_in else "hidden")
name = opened.title.partition(": ")[2] if there.is_let_in else "Sign in"
st.set_page_config(page_title=f"{name} · PromptFlow credits")
# The script runs to its end in both cases: after `st.stop` Streamlit would go on drawing what draws itself.
if there.is_let_in:
    inside(opened, there)
else:
    sign_in.door(there)
