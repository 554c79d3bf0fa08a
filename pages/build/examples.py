"""Examples of API calls, as a shell command and as a Python script, ready to copy and run."""

import ast
import json
import pprint
import shlex
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode, urlsplit

import streamlit as st

from credits_core.ledger.requests import ChargeRequest

KEY_VARIABLE = "PROMPTFLOW_KEY"
"""The environment variable from which every example takes the key, so that no key stands in an example."""
_SESSION = "api-examples"
_SCREEN = "/api-console"


@dataclass(frozen=True, slots=True)
class Example:
    """One call: a GET with a query or, when there is a body of JSON, a POST. `allowed` says whose keys may send it."""

    title: str
    path: str
    allowed: str
    query: tuple[tuple[str, str], ...] = ()
    body: str = ""
    idempotency_key: str = ""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "POST" if self.body else "GET"

    def url(self, address: str) -> str:
        """The whole address of the call on this server."""
        return f"{address}{self.path}{'?' if self.query else ''}{urlencode(self.query)}"


def examples(run: ChargeRequest, open_hold_id: int | None = None) -> dict[str, Example]:
    """The calls that look up the user's balance, price the run, charge it and hold credits for it, by their titles.

    With an open hold of the user there is also the call that captures it.
    """
    tokens = {"input_tokens": run.input_tokens, "output_tokens": run.output_tokens}
    priced = {"model_id": run.model_id} | {name: count for name, count in tokens.items() if count is not None}
    charged = {"user_id": run.user_id, "prompt_id": run.prompt_id} | priced
    listed = [
        Example(
            "Balance",
            "/api/credits/balance",
            "A service or admin key, or the user's own.",
            query=(("user_id", run.user_id),),
        ),
        Example("Price", "/api/credits/calculate-cost", "Any key. Charges nothing.", body=_json(priced)),
        _done_once(
            "Charge", "/api/credits/charge-prompt", "A service or admin key. Sent twice, it charges once.", charged
        ),
        _done_once(
            "Hold", "/api/credits/holds", "A service or admin key. Sets credits aside for the most output.", charged
        ),
    ]
    if open_hold_id is not None:
        used = {name: count for name, count in tokens.items() if count is not None}
        path = f"/api/credits/holds/{open_hold_id}/capture"
        says = "A service or admin key. Charges what was used; the rest comes back."
        listed.append(_done_once("Capture", path, says, used))
    return {example.title: example for example in listed}


def _done_once(title: str, path: str, allowed: str, content: Mapping[str, str | int]) -> Example:
    """A call that is carried out once, however often it is sent."""
    body = _json(content)
    return Example(title, path, allowed, body=body, idempotency_key=_idempotency_key(path, body))


def with_body(example: Example, body: str) -> Example:
    """The call with another body, and with the idempotency key that goes with that body."""
    return replace(
        example, body=body, idempotency_key=_idempotency_key(example.path, body) if example.idempotency_key else ""
    )


def use_new_idempotency_keys() -> None:
    """Let every example have another idempotency key from now on, so that what was charged is charged again."""
    st.session_state[_SESSION] = uuid.uuid4()


def address(page_url: str | None) -> str:
    """Where the browser found the dashboard, with the path that it is below; without a browser, that of a usual start.

    >>> address("https://credits.example.org:8443/api-console")
    'https://credits.example.org:8443'
    >>> address("https://example.org/tools/credits/api-console?call=Price")
    'https://example.org/tools/credits'
    """
    parts = urlsplit(page_url or "http://127.0.0.1:8501")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(_SCREEN)}"


def curl(example: Example, address: str) -> str:
    """The call for a shell.

    >>> look = Example("Balance", "/api/credits/balance", "", query=(("user_id", "o'ada"),))
    >>> print(curl(look, "http://127.0.0.1:8501"))
    curl 'http://127.0.0.1:8501/api/credits/balance?user_id=o%27ada' \\
      -H "Authorization: Bearer $PROMPTFLOW_KEY"
    """
    show_headers = "-i " if example.idempotency_key else ""
    lines = [
        f"curl {show_headers}{shlex.quote(example.url(address))}",
        f'-H "Authorization: Bearer ${KEY_VARIABLE}"',
    ]
    if example.idempotency_key:
        lines.append(f"-H {shlex.quote(f'Idempotency-Key: {example.idempotency_key}')}")
    if example.body:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(example.body)}"]
    return " \\\n  ".join(lines)


def python(example: Example, address: str) -> str:
    """The call as a script that needs nothing but Python. It prints status and answer, refusals as well."""
    body, sent_body = _python_body(example.body)
    headers = [f'"Authorization": f"Bearer {{environ[{KEY_VARIABLE!r}]}}",']
    if example.idempotency_key:
        headers.append(f'"Idempotency-Key": {json.dumps(example.idempotency_key)},')
    if example.body:
        headers.append('"Content-Type": "application/json",')
    return "\n".join(
        [
            *(["import json"] if sent_body.startswith("json.") else []),
            "import urllib.error",
            "import urllib.request",
            "from os import environ",
            "",
            *([f"body = {body}"] if body else []),
            "request = urllib.request.Request(",
            f"    {json.dumps(example.url(address))},",
            *([f"    data={sent_body},"] if body else []),
            "    headers={",
            *(f"        {header}" for header in headers),
            "    },",
            ")",
            "try:",
            "    answer = urllib.request.urlopen(request)",
            "except urllib.error.HTTPError as refusal:",
            "    answer = refusal",
            "print(answer.status, answer.read().decode())",
        ]
    )


def _json(fields: Mapping[str, str | int]) -> str:
    return json.dumps(fields, indent=4)


def _python_body(body: str) -> tuple[str, str]:
    """The body as Python writes it, and how a script sends it; text that is no JSON is sent as it is."""
    try:
        fields = json.loads(body) if body else ""
    except ValueError:
        return repr(body), "body.encode()"
    if not isinstance(fields, dict):
        return (repr(body), "body.encode()") if body else ("", "")
    try:
        is_python = ast.literal_eval(body) == fields  # JSON of texts and whole numbers is
    except (ValueError, SyntaxError):
        is_python = False
    return body if is_python else pprint.pformat(fields, sort_dicts=False), "json.dumps(body).encode()"


def _idempotency_key(path: str, body: str) -> str:
    # The same for the same call until somebody asks for new ones, so that sending it twice shows that it is charged
    # once. By its beginning, starting the demo over knows what was only tried here.
    session: uuid.UUID = st.session_state.setdefault(_SESSION, uuid.uuid4())
    return f"dashboard:{uuid.uuid5(session, f'{path} {body}')}"
