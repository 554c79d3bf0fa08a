"""Which model a log means: the one that its name stands for, or the one that a person matched; never a guess."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from credits_core.errors import CreditsError
from credits_core.prices.names import resolve
from credits_core.pricing.models import Model, ModelRegistry
from credits_core.usage.formats import FORMATS

_HOSTS = {"openrouter": "openrouter"}
"""Formats of those who sell other makers' models: a name that its maker does not know is theirs."""

_OWN = "promptflow"
"""Our own runs name our own models, and keep the cost that they had."""


def key_of(provider: str, name: str) -> str:
    """How a match is remembered: the model's name, with the provider where the log has one.

    >>> key_of("openai", "gpt-4o"), key_of("", "gpt-4o")
    ('openai|gpt-4o', 'gpt-4o')
    """
    return f"{provider}|{name}" if provider else name


@dataclass(slots=True)
class Matcher:
    """Finds models for a log of one format. `matched` are the ids that people chose, by `key_of` or by name alone.

    A model of the live price list has its price; every other has that of the price package.
    """

    models: ModelRegistry
    matched: Mapping[str, str] = field(default_factory=dict)
    format_key: str = ""
    _found: dict[tuple[str, str], Model | None] = field(default_factory=dict)

    def model(self, provider: str, name: str) -> Model | None:
        """The model that the log means, or None when no name says it: then a person has to."""
        asked = (provider, name)
        if asked not in self._found:
            self._found[asked] = self._look(provider, name)
        return self._found[asked]

    def _look(self, provider: str, name: str) -> Model | None:
        chosen = self.matched.get(key_of(provider, name)) or self.matched.get(name)
        if chosen is not None:
            return model_of(self.models, chosen)
        if self.format_key == _OWN:
            return self.models.models.get(name) or model_of(self.models, name)
        host = _HOSTS.get(self.format_key, "")
        for one in (f"{provider}/{name}" if provider else "", name, f"{host}/{name}" if host else ""):
            found = model_of(self.models, one) if one else None
            if found is not None:
                return found
        return None


def model_of(models: ModelRegistry, name: str) -> Model | None:
    """The model priced by usage that a name stands for, or None. Names of fixed prices per run are names of logs, too.

    A log that says `gpt-4o` means the model whose tokens it counts, not the specification's price for a run of GPT-4o.
    """
    deployed = models.ids_by_deployment.get(name)
    if deployed is not None:
        return models.models[deployed]
    offered = models.models.get(name)
    if offered is not None and offered.is_usage_priced:
        return offered
    try:
        package_id = resolve(name)
        ids = models.ids_by_package_id.get(package_id, ())
        return models.models[ids[0]] if len(ids) == 1 else models.elsewhere(package_id)
    except CreditsError:
        return None


def format_title(key: str) -> str:
    """A format by its key, for reading; columns that somebody named have no format."""
    return FORMATS[key].title if key in FORMATS else "Columns chosen by hand"
