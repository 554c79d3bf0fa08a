"""A log of another system for the pictures: a month of LiteLLM, with what such logs have wrong. The same every time."""

import json
from datetime import datetime, timedelta
from random import Random

_BEGIN = datetime(2026, 10, 1, 8)  # noqa: DTZ001 - written as UTC
_PRICES = {"gpt-4o": (2.5, 1.25, 10), "claude-haiku-4-5-20251001": (1, 0.1, 5), "support-bot": (2.5, 1.25, 10)}
_WEIGHTS = (5, 4, 1)
_PROVIDERS = {"gpt-4o": "openai", "claude-haiku-4-5-20251001": "anthropic", "support-bot": "azure"}


def log(rows: int = 2_000) -> bytes:
    """The log as JSON lines: some requests failed, some were answered from a cache, some stand twice, one is broken."""
    random, at, lines = Random(7), _BEGIN, list[str]()  # noqa: S311 - no secret
    for number in range(rows):
        at += timedelta(minutes=random.randint(1, 40))
        line = json.dumps(_row(random, number, at))
        lines += [line] * (2 if number % 250 == 99 else 1)
    lines.insert(700, lines[700][:60])
    return "\n".join(lines).encode()


def _row(random: Random, number: int, at: datetime) -> dict[str, object]:
    (model,) = random.choices(list(_PRICES), _WEIGHTS)
    fresh_usd, cached_usd, output_usd = _PRICES[model]
    tokens_in, tokens_out = random.randint(200, 6_000), random.randint(10, 900)
    cached = random.choice([0, 0, tokens_in // 2])
    charged = 0 if number % 50 == 7 else cached  # some clients did not tell the log what was cached
    spend = ((tokens_in - charged) * fresh_usd + charged * cached_usd + tokens_out * output_usd) / 1_000_000
    row: dict[str, object] = {
        "request_id": f"req-{number}",
        "call_type": "acompletion",
        "startTime": f"{at.isoformat()}Z",
        "model": model,
        "custom_llm_provider": _PROVIDERS[model],
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "spend": round(spend, 9),
        "end_user": f"customer-{min(20, int(random.paretovariate(0.9)))}",
        "cache_hit": "False",
        "status": "success",
        "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": cached}}},
    }
    if number % 40 == 3:
        row |= {"prompt_tokens": 0, "completion_tokens": 0, "spend": 0, "status": "failure", "metadata": {}}
    elif number % 30 == 11:
        row |= {"cache_hit": "True", "spend": 0}
    return row
