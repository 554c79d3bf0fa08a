"""The packs as cards with a button each, and what became of the last click."""

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.ledger.refusals import AccountLooksAlike
from credits_core.payments import buying, purchased
from credits_core.payments.packs import Pack, Packs
from credits_core.payments.purchased import Bought
from credits_core.pricing.plan import PricePlan
from credits_core.values.money import format_rate
from pages.money import at_gateway, naming
from pages.parts import action, done, links, resources, show, words

_ACTION = "buy"
_REFUSED = "buy:refused"


def draw(packs: Packs, user_id: str, *, gateway: str) -> None:
    """The cards, and below them the purchase that was made or why there is none."""
    plan = resources.book().plan
    action.performed(_ACTION)  # makes the key before the buttons are shown
    clicked = None
    with st.grid(min(len(packs.packs), 4), min_column_width=230):
        for pack in packs.packs:
            with st.container(border=True, height="stretch"):
                if _card(pack, plan, is_disabled=not user_id):
                    clicked = pack
    if clicked is not None:
        _buy(clicked, plan, user_id, gateway)
    _outcome(packs, user_id)


def _card(pack: Pack, plan: PricePlan, *, is_disabled: bool) -> bool:
    """One card; whether its button was clicked."""
    due_minor, fee_minor = pack.due_minor(plan), pack.fee_minor(plan)
    st.metric(
        words.plain(pack.name),
        naming.money(due_minor, pack.currency),
        delta=f"{pack.credits:,} credits",
        delta_color="gray",
        delta_arrow="off",
    )
    st.markdown(naming.bonus(pack) or "No bonus")
    rate = format_rate(pack.per_million(plan), pack.currency).replace("$", r"\$")
    surcharge = f", with a surcharge of {naming.money(fee_minor, pack.currency)}" if fee_minor else ""
    st.caption(f"{rate} per million credits{surcharge}")
    st.space("stretch")
    return st.button(
        f"Buy {words.plain(pack.name)}",
        key=f"buy:{pack.id}",
        icon=":material/shopping_cart:",
        disabled=is_disabled,
        help="Choose a user first." if is_disabled else None,
    )


def _buy(pack: Pack, plan: PricePlan, user_id: str, gateway: str) -> None:
    is_somebody_else = bool(st.session_state.get(_somebody_else(user_id)))
    outcome = action.perform(
        _ACTION,
        (user_id, pack.id, is_somebody_else),
        lambda connection, key, now, actor: buying.buy(
            connection,
            user_id,
            pack,
            gateway=gateway,
            plan=plan,
            key=key,
            now=now,
            actor=actor,
            distinct=is_somebody_else,
        ),
    )
    if outcome.result is not None:
        _open(outcome.result, pack)
        if not outcome.repeated:
            said = f"{words.plain(user_id)} bought {words.plain(pack.name)}. It is not paid yet."
            done.add("Buy credits", said, link=link_to(outcome.result), is_shown=False)


def link_to(bought: Bought) -> done.Link:
    """The link to a purchase."""
    return done.Link("money/buy_credits.py", f"Purchase {bought.id}", links.carry_to(purchase=str(bought.id)))


def _open(bought: Bought, pack: Pack) -> None:
    st.session_state[_REFUSED] = at_gateway.open_checkout(bought, pack)


def _outcome(packs: Packs, user_id: str) -> None:
    outcome = action.performed(_ACTION)
    if outcome is None:
        return
    if outcome.refusal is not None and outcome.request[0] == user_id:
        show.refusal(outcome.refusal, undone="Nothing was bought.")
        if isinstance(outcome.refusal, AccountLooksAlike):
            told = "Then choose Buy again. The two ids stay two users."
            st.checkbox("This is somebody else", help=told, key=_somebody_else(user_id))
    if outcome.result is None:
        return
    with resources.reading() as connection:
        bought = purchased.purchase(connection, outcome.result.id)
    refused: CreditsError | None = st.session_state.get(_REFUSED)
    with st.container(border=True):
        show.start_over(_ACTION, naming.title(bought), again="Buy another pack")
        if bought.checkout_url is None:
            if refused is not None:
                show.refusal(refused, undone="The purchase is noted. Nothing was paid.")
            pack = packs[bought.pack_id]
            st.button("Ask for the checkout", icon=":material/refresh:", on_click=_open, args=(bought, pack))
            return
        owing = naming.money(bought.due_minor, bought.currency)
        once = " This click was a repeat: nothing was bought twice." if outcome.repeated else ""
        st.markdown(f"{naming.STATES[bought.standing.state]}. Pay {owing} at the checkout.{once}")
        at_gateway.link_to_checkout(bought)


def _somebody_else(user_id: str) -> str:
    return f"buy:somebody-else:{user_id}"
