"""What a run used, typed by a person: units as JSON, or a provider's response pasted as it came."""

import json
from typing import Any

import streamlit as st

from credits_core.errors import CreditsError, InvalidRequest
from credits_core.pricing.models import Model
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel
from credits_core.pricing.units import Usage, parse_usage, unit_name, usage_text
from credits_core.usage.asked import AskedUsage, asked_usage
from credits_core.usage.refusals import AmbiguousResponse
from credits_core.usage.responses import ReadResponse
from pages.parts import pick, resources, show, words

TOKENS, UNITS, RESPONSE = "tokens", "units", "response"
_EXAMPLE = (("input_tokens", 2_006), ("output_tokens", 300), ("cache_read_tokens", 1_920))
_WAYS = {TOKENS: "Tokens", UNITS: "All units", RESPONSE: "A response"}
_PASTE = '{"model": "…", "usage": {…}}'


def way(model: Model) -> str:
    """How the usage is given: as two token counts, as units, or as a response. Some models have no tokens to count."""
    has_tokens = {"input_tokens", "output_tokens"} <= {*model.priced_units}
    ways = [TOKENS, UNITS, RESPONSE] if has_tokens else [UNITS, RESPONSE]
    return pick.one(
        "Usage",
        ways,
        key=f"given:{len(ways)}",
        is_in_link=False,
        says=_WAYS.__getitem__,
        help_text="Cached, reasoning, audio and image tokens, searches, seconds and pages have prices of their own.",
    )


def units(model: Model) -> Usage | None:
    """The usage typed as a JSON object. None, with the reason, as long as it cannot be accepted."""
    text = st.text_area(
        "Units (JSON)",
        value=usage_text(_usual(model)),
        key=f"units:{model.id}",
        height=100,
        help=f"This model has prices for: {', '.join(model.priced_units)}.",
    )
    try:
        given = _object(text or "")
        return parse_usage(given)
    except InvalidRequest as refusal:
        # Not `refusal_text`: a unit is named as it has to be typed.
        st.caption(f":red[{words.plain(f'{refusal.field.capitalize()} {refusal.problem}.')}]")
        return None


def response(model: Model) -> AskedUsage | None:
    """What a pasted response says, and how it was understood. None as long as nothing readable is there."""
    providers = resources.response_providers()
    of_model = model.id.partition("/")[0]
    provider = st.selectbox(
        "Provider", providers, index=providers.index(of_model) if of_model in providers else 0, key="response:provider"
    )
    text = st.text_area(
        "Response (JSON)",
        key="response:text",
        height=160,
        placeholder=_PASTE,
        help="The whole response, its usage part, or the list of a stream's events. It is read here and kept nowhere.",
    )
    if not text:
        st.caption("Paste what the provider answered.")
        return None
    asked = _asked(model, provider, text, flavour=None)
    if asked is None:
        return None
    assert asked.response is not None, "a response was read"
    _understood(asked.response, model)
    return asked


def _asked(model: Model, provider: str, text: str, *, flavour: str | None) -> AskedUsage | None:
    """What the response says. None, with the reason, when it cannot be read, or until one of two APIs is chosen."""
    try:
        return asked_usage(model_id=model.id, provider=provider, response=_json(text), api_flavour=flavour)
    except AmbiguousResponse as refusal:
        chosen = st.selectbox(
            f"API of {provider}",
            refusal.flavours,
            index=None,
            key=f"response:api:{provider}:{'|'.join(refusal.flavours)}",
            placeholder="Choose the API",
            help="The response could be from several APIs, which count differently.",
        )
        return None if chosen is None else _asked(model, provider, text, flavour=chosen)
    except CreditsError as refusal:
        st.caption(f":red[{words.refusal_text(refusal)}]")
        return None


def _understood(read: ReadResponse, model: Model) -> None:
    rows: list[show.Row] = [{"Unit": unit_name(key), "Count": count} for key, count in read.usage]
    st.table(
        show.small_table(rows, {"Count": "{:,}"}),
        border="horizontal",
        hide_index=True,
        alt="How the response was understood",
    )
    tier = f" · service tier {words.plain(read.service_tier)}" if read.service_tier else ""
    st.caption(f"Read as {words.plain(read.provider_id)} {words.plain(read.flavour)}{tier}")
    if read.unread:
        counts = words.plain(", ".join(read.unread))
        st.caption(f":orange[Not charged: we do not know what these counts mean: {counts}]")
    if read.model_name is not None:
        _say_model(f"{read.provider_id}/{read.model_name}", model)


def _say_model(name: str, model: Model) -> None:
    try:
        found = resources.models()[name]
    except AmbiguousModel as refusal:
        could_be = words.plain(" or ".join(refusal.model_ids))
        st.caption(f"The response names {words.plain(name)}, which could be {could_be}. {_priced_as(model)}")
        return
    except UnknownModel:
        st.caption(f"The response names {words.plain(name)}, which is not offered. {_priced_as(model)}")
        return
    if found.id == model.id:
        st.caption(f"The response names {words.plain(name)}.")
    else:
        st.caption(f":orange[The response is from {words.plain(found.id)}.]")
        st.button(f"Use {found.id}", key="response:model", on_click=_use, args=(found.id,))


def _priced_as(model: Model) -> str:
    return f"Priced as {words.plain(model.id)}."


def _use(model_id: str) -> None:
    st.session_state["model"] = model_id


def _usual(model: Model) -> Usage:
    known = tuple((key, count) for key, count in _EXAMPLE if key in model.priced_units)
    return known or tuple((key, 1) for key in model.priced_units[:1])


def _object(text: str) -> dict[str, Any]:
    given = _json(text)
    if type(given) is not dict:
        raise InvalidRequest("usage", 'must be a JSON object such as {"input_tokens": 2006}')
    return given


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("text", f"is not JSON: {error}") from None
