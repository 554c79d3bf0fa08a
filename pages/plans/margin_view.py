"""Shows margins: the figures on top, who loses and what would mend it, and all of them as chart, table and CSV."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from credits_core.reports.margin import NO_CREATOR, NO_MODEL, By, Margin
from credits_core.values.text import counted, format_bps, format_usd
from pages.parts import charts, csv_files, links, show, tables, words

_MOST_BARS = 12
_MOST_NAMED = 3
_LOSES, _EARNS = "#D97706", charts.PLATFORM
_PLURAL = {By.USER: "users", By.MODEL: "models", By.PROMPT: "prompts", By.CREATOR: "creators", By.MONTH: "months"}


def in_all(total: Margin) -> None:
    """Who has what of all that was paid, and what is left for the platform."""
    paid = (total.paid_credits, total.inference_credits, total.creators_credits, total.left_credits)
    with show.metric_grid(*map(abs, paid)):
        show.metric("Users paid", total.paid_credits, colour="blue", help_text="For runs and unlocks, after refunds.")
        show.metric("Models", total.inference_credits, help_text="What the models cost, less what providers gave back.")
        show.metric("Creators", total.creators_credits, colour="green", help_text="Their shares, less what came back.")
        show.metric(
            "Left for us",
            total.left_credits,
            colour="violet",
            help_text=f"Of {words.exact_dollars(total.platform_credits)} the card company takes "
            f"{words.exact_dollars(total.card_fee_credits)}.".replace("$", r"\$"),
        )


def losers(listed: Sequence[Margin], by: By) -> None:
    """Who loses money for us, and how much more markup would mend it; or that nobody does."""
    losing = [one for one in listed if one.left_credits < 0]
    if not losing:
        st.success("Of each one something is left after the card fee.", title=f"No {by} loses money")
        return
    named = "; ".join(map(_mended, sorted(losing, key=lambda one: one.left_credits)[:_MOST_NAMED]))
    more = f"; and {len(losing) - _MOST_NAMED:,} more" if len(losing) > _MOST_NAMED else ""
    lost = format_usd(-sum(one.left_credits for one in losing))
    noun = str(by) if len(losing) == 1 else _PLURAL[by]
    verb = "loses" if len(losing) == 1 else "lose"
    st.warning(
        f"{named}{more}.".replace("$", r"\$"),
        title=f"{len(losing):,} {noun} {verb} {lost} for us",
        icon=":material/trending_down:",
    )
    with st.container(horizontal=True):
        st.page_link("plans/compare_plans.py", label="Try another markup", icon=":material/compare:", width="content")
        st.page_link("plans/pricing_lab.py", label="Look into the plan", icon=":material/biotech:", width="content")


def _mended(one: Margin) -> str:
    said = f"**{words.plain(one.name)}** {format_usd(-one.left_credits)}"
    if one.mending_bps is None:
        return f"{said}, through refunds alone"
    return f"{said}, which {format_bps(one.mending_bps)} more on what its models cost would mend"


def heading(listed: Sequence[Margin], by: By) -> str:
    """What the chart shows."""
    if by is By.MONTH or len(listed) <= _MOST_BARS:
        return f"Left for us, by {by}"
    half = _MOST_BARS // 2
    return f"Left for us: the {half} {_PLURAL[by]} with least, and the {half} with most"


def chart(listed: Sequence[Margin], by: By) -> go.Figure:
    """A bar for each, the months in order and of the others those that lose and earn most."""
    shown = list(listed)
    if len(shown) > _MOST_BARS:
        half = _MOST_BARS // 2
        shown = [*shown[:half], *shown[-half:]]
    shown = shown[::-1] if by is not By.MONTH else shown
    names = [one.name for one in shown]
    left = [one.left_credits for one in shown]
    is_upright = by is By.MONTH
    figure = go.Figure(
        go.Bar(
            x=names if is_upright else left,
            y=left if is_upright else names,
            orientation="v" if is_upright else "h",
            marker_color=[_LOSES if credits < 0 else _EARNS for credits in left],
            customdata=[format_usd(credits) for credits in left],
            hovertemplate=f"%{{{'x' if is_upright else 'y'}}}: %{{customdata}}<extra></extra>",
        )
    )
    figure.update_layout(showlegend=False, bargap=0.3)
    (figure.update_xaxes if is_upright else figure.update_yaxes)(type="category", title=None)
    (figure.update_yaxes if is_upright else figure.update_xaxes)(title="left for us, credits", separatethousands=True)
    return charts.laid_out(figure, height=240 if is_upright else 80 + 26 * len(shown))


def table(listed: Sequence[Margin], by: By) -> None:
    """Every one with where its money went."""
    first = str(by).capitalize()
    rows = [
        {
            first: one.name,
            "Charges": one.charges,
            "Paid": one.paid_credits,
            "Models": one.inference_credits,
            "Creators": one.creators_credits,
            "Platform": one.platform_credits,
            "Card fee": one.card_fee_credits,
            "Left": one.left_credits,
        }
        for one in listed
    ]
    can_open = by in (By.USER, By.CREATOR)
    tables.draw(
        rows,
        {"Paid": None, "Models": None, "Creators": None, "Platform": None, "Card fee": None, "Left": "Dollars"},
        alt=f"What is left of each {by}",
        key=f"margin-{by}",
        opens={first: lambda number: _open(listed[number], by)} if can_open else {},
        if_wide=["Models", "Creators", "Card fee"],
    )
    st.caption(f"{counted(len(listed), str(by))}. Runs without a creator and unlocks have rows of their own.")


def _open(one: Margin, by: By) -> None:
    if one.name in (NO_CREATOR, NO_MODEL):
        return
    page = "explore/balances.py" if by is By.USER else "explore/creator_earnings.py"
    st.switch_page(page, query_params=links.link_to(**{str(by): one.name}))


def as_csv(listed: Sequence[Margin], by: By) -> bytes:
    """The table as CSV, amounts in credits."""
    names = [f"{name}_credits" for name in ("paid", "inference", "creators", "platform", "card_fee", "left")]
    names = ["charges", *names]
    return csv_files.csv_file(
        (str(by), *names), ([one.name, *(getattr(one, name) for name in names)] for one in listed)
    )
