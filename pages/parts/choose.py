"""Inputs for choosing what to run. They are kept in the URL, and together they make one request.

The names in the URL are `user`, `prompt`, `creator`, `fee`, `model`, `input_tokens` and `output_tokens`; a value in it
that makes no sense counts as none. An option is an id, so that links stay short and stay right when a price changes.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import streamlit as st

from credits_core.bulk.batch import Batch
from credits_core.bulk.demo_world import DemoPrompt
from credits_core.lab.scenario.workload import Workload
from credits_core.ledger import accounts
from credits_core.ledger.accounts import UserBalance
from credits_core.ledger.refusals import UnknownUser
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.models import Model
from credits_core.pricing.units import MAX_COUNT
from credits_core.values.credits import MAX_CREDITS
from pages.parts import model_choice, numbers, pick, resources, usage_inputs, words

LISTED_USERS = 200
"""How many users the box lists. Of a ledger with more it finds the others by what is typed."""
_OFFERED_USERS = 8
FREE_FORM = "free-form"
_FIXED = "fixed"
_INPUT_TOKENS, _OUTPUT_TOKENS = 1_000, 200


def user(listed: Sequence[UserBalance], *, first: bool = True, help_text: str | None = None) -> str:
    """The id of a user, from the list or typed in. Until somebody chooses, the first of the list or, else, empty.

    Where the list is cut at `LISTED_USERS`, a part of an id offers the users that have it.
    """
    chosen = st.selectbox(
        "User",
        [known.user_id for known in listed],
        index=0 if first else None,
        placeholder="Choose a user or type an id",
        accept_new_options=True,
        filter_mode="contains",
        key="user",
        bind="query-params",
        help=help_text,
    )
    user_id = _typed(chosen)
    if len(listed) >= LISTED_USERS and user_id:
        _offer_users(user_id)
    return user_id


def _offer_users(typed: str) -> None:
    """Users whose id has what was typed, from the whole ledger, when nobody has exactly this id."""
    with resources.reading() as connection:
        with suppress(UnknownUser):
            accounts.user(connection, typed)
            return  # before the search, which reads every user
        found = accounts.users(connection, search=typed, limit=_OFFERED_USERS)
    if not found:
        return
    st.caption("No user has this id. Similar ids:")
    with st.container(horizontal=True, gap="xsmall"):
        for one in found:
            st.button(
                words.plain(one.user_id),
                key=f"choose-user-{one.user_id}",
                type="tertiary",
                icon=":material/person:",
                on_click=partial(st.session_state.__setitem__, "user", one.user_id),
            )


def request(user_id: str) -> ChargeRequest | None:
    """One run to be charged: a demo prompt with its creator and fee, or a free-form one; its model, and tokens.

    None as long as something is typed that cannot be accepted, or the model is not offered; the reason is shown.
    """
    chosen = batch(user_id, 1)
    return chosen.request if chosen else None


def batch(user_id: str, runs: int) -> Batch | None:
    """`runs` runs to be charged, as `request`; many of them can have token counts drawn from a real workload."""
    prompts = _demo_prompts()
    chosen = st.selectbox(
        "Prompt",
        [*prompts, FREE_FORM],
        accept_new_options=True,
        filter_mode="contains",
        key="prompt",
        bind="query-params",
        on_change=_take_what_the_prompt_brings,
        help=f"Choose a demo prompt with its creator and fee. To set your own, choose {FREE_FORM} or type a prompt id.",
    )
    prompt_id = _typed(chosen) or FREE_FORM
    prompt = prompts.get(prompt_id)
    creator_id: str | None
    creator_fee_credits: int | None
    if prompt is None:
        creator_id, creator_fee_credits = _creator_and_fee()
    else:
        creator_id, creator_fee_credits = prompt.creator_id, prompt.creator_fee_credits
        fee = f"fee {words.both(prompt.creator_fee_credits)}" if prompt.creator_fee_credits else "no creator fee"
        st.caption(f"{words.plain(prompt.title)} by {words.plain(creator_id)} · {fee}")
    model = _model(prompt)
    if model is None:
        return None
    run = ChargeRequest(
        user_id=user_id,
        prompt_id=prompt_id,
        model_id=model.id,
        creator_id=creator_id if creator_fee_credits else None,
        creator_fee_credits=creator_fee_credits or 0,
    )
    used = _used(model, prompt, run, runs) if model.is_usage_priced else Batch(run, runs)
    return None if creator_fee_credits is None else used


def _used(model: Model, prompt: DemoPrompt | None, run: ChargeRequest, runs: int) -> Batch | None:
    way = usage_inputs.way(model)
    if way == usage_inputs.UNITS:
        usage = usage_inputs.units(model)
        return None if usage is None else Batch(replace(run, usage=usage), runs)
    if way == usage_inputs.RESPONSE:
        asked = usage_inputs.response(model)
        if asked is None:
            return None
        return Batch(replace(run, usage=asked.usage, service_tier=asked.service_tier), runs)
    workload = _workload() if runs > 1 else None
    if workload is not None:
        return Batch(run, runs, workload)
    input_tokens, output_tokens = _tokens(prompt)
    if input_tokens is None or output_tokens is None:
        return None
    return Batch(replace(run, input_tokens=input_tokens, output_tokens=output_tokens), runs)


def model_and_tokens() -> tuple[Model, int | None, int | None] | None:
    """A model, and the input and output tokens of one run where the model is priced by them.

    None as long as something is typed that cannot be accepted, or the model is not offered; the reason is shown.
    """
    model = _model(None)
    if model is None:
        return None
    if not model.is_usage_priced:
        return model, None, None
    input_tokens, output_tokens = _tokens(None)
    return None if input_tokens is None or output_tokens is None else (model, input_tokens, output_tokens)


def _creator_and_fee() -> tuple[str | None, int | None]:
    world = resources.demo()
    with st.grid(2, min_column_width=160):
        creator = st.selectbox(
            "Creator",
            [creator.id for creator in world.creators] if world else [],
            index=None,
            placeholder="Nobody",
            accept_new_options=True,
            filter_mode="contains",
            key="creator",
            bind="query-params",
            help="Who earns the fee. You can type a new id; the first fee creates the creator.",
        )
        with st.container():
            fee_credits = numbers.whole("Creator fee (credits)", 0, MAX_CREDITS, key="fee", usual=0, says=_fee)
    return _typed(creator) or None, fee_credits


def _fee(fee_credits: int | None) -> str:
    return f"Fee {words.both(fee_credits)}" if fee_credits else "No fee: our markup applies."


def _model(prompt: DemoPrompt | None) -> Model | None:
    model = model_choice.choose(
        prompt.model_id if prompt else None,
        help_text="Type to search. Models named provider/model are priced by what a run uses, all others per run.",
    )
    if model is not None:
        st.caption(words.model_price(model, most=2), help=words.model_price(model))
    return model


def _workload() -> Workload | None:
    workloads = resources.workloads()
    chosen = pick.one(
        "Tokens",
        [_FIXED, *workloads],
        key="tokens",
        says=str.capitalize,
        help_text="Use fixed counts, or counts from real requests. The same batch always gets the same counts.",
    )
    workload = workloads.get(chosen)
    if workload is not None:
        st.caption(
            f"From {workload.requests:,} real requests. Median: {workload.input_tokens.p50:,} in, "
            f"{workload.output_tokens.p50:,} out. Maximum: {workload.input_tokens.max:,} in, "
            f"{workload.output_tokens.max:,} out."
        )
    return workload


def _tokens(prompt: DemoPrompt | None) -> tuple[int | None, int | None]:
    counts = []
    with st.grid(2, min_column_width=130):
        for name, usual in zip(("Input tokens", "Output tokens"), _usual_tokens(prompt), strict=True):
            with st.container():
                key, median = name.lower().replace(" ", "_"), partial("Median: {:,}".format, usual)
                counts.append(numbers.whole(name, 0, MAX_COUNT, key=key, usual=usual, says=median))
    input_tokens, output_tokens = counts
    return input_tokens, output_tokens


def _usual_tokens(prompt: DemoPrompt | None) -> tuple[int, int]:
    if prompt is None or prompt.workload is None:
        return _INPUT_TOKENS, _OUTPUT_TOKENS
    workload = resources.workloads()[prompt.workload]
    return workload.input_tokens.p50, workload.output_tokens.p50


def _take_what_the_prompt_brings() -> None:
    # A demo prompt brings its model and the median tokens of its kind of work; both can be changed afterwards.
    prompt = _demo_prompts().get(st.session_state["prompt"])
    if prompt is not None:
        st.session_state["model"] = prompt.model_id
        st.session_state["input_tokens"] = st.session_state["output_tokens"] = ""


def _demo_prompts() -> dict[str, DemoPrompt]:
    world = resources.demo()
    return {prompt.id: prompt for prompt in world.prompts} if world else {}


def _typed(text: str | None) -> str:
    return text.replace("\0", "").strip() if text else ""
