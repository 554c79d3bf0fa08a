"""Every model that the genai-prices package has a price for, with our corrections: to be quoted and compared."""

from functools import lru_cache
from pathlib import Path

from credits_core.errors import DataFileInvalid
from credits_core.prices import package
from credits_core.prices.corrections import load_corrections
from credits_core.prices.names import resolve
from credits_core.prices.refusals import NoPrice
from credits_core.pricing.dated_prices import ModelPrices
from credits_core.pricing.models import Model

_TYPE_OF = (
    ("output_image_tokens", "image"),
    ("output_video_tokens", "video"),
    ("audio_seconds", "audio"),
    ("output_audio_tokens", "audio"),
    ("input_characters", "audio"),
    ("input_document_pages", "document"),
    ("rerank_searches", "rerank"),
)


def find_model(name: str, corrections: Path) -> Model:
    """The model that a name means, as `resolve` finds it, priced by the package and our corrections.

    Raises:
        UnknownModel, AmbiguousModel: as `resolve`.
        NoPrice, DataFileInvalid: as `prices_of`.
    """
    return _model(resolve(name), corrections)


def every_model(corrections: Path) -> tuple[dict[str, Model], list[str]]:
    """Every model that the package has a price for, by id, and what is wrong with those that are left out.

    Raises:
        DataFileInvalid: the file of corrections is wrong.
    """
    load_corrections(corrections)
    models: dict[str, Model] = {}
    problems: list[str] = []
    for package_id in package.ids():
        try:
            models[package_id] = _model(package_id, corrections)
        except NoPrice:
            continue
        except DataFileInvalid as refusal:
            problems += refusal.problems
    return models, problems


def prices_of(package_id: str, corrections: Path) -> tuple[ModelPrices, str]:
    """A model's prices with our correction of them, and where they are from.

    Raises:
        NoPrice: the package has no price for the model.
        DataFileInvalid: the file of corrections is wrong, or its correction of the model changes nothing any more, or
            the package has a price that we cannot express.
    """
    prices = package.prices_of(package_id)
    if prices is None:
        raise NoPrice(package_id)
    entry = package.find(package_id)
    assert entry is not None, "a model with prices is there"
    pages = entry[0].pricing_urls or []
    source = f"{package.PACKAGE_VERSION}, {entry[0].name}{f': {pages[0]}' if pages else ''}"
    correction = load_corrections(corrections).get(package_id)
    if correction is None:
        return prices, source
    corrected = correction.applied_to(prices)
    if corrected == prices:
        problem = f"the correction of {package_id} changes nothing; if the package is right now, take it out"
        raise DataFileInvalid(str(corrections), [problem])
    return corrected, f"{source}; corrected {correction.checked_on} from {correction.source}"


@lru_cache(maxsize=4_000)
def _model(package_id: str, corrections: Path) -> Model:
    prices, source = prices_of(package_id, corrections)
    entry = package.find(package_id)
    assert entry is not None, "a model with prices is there"
    provider, model = entry
    priced = {key for dated in prices.standard for key in dated.prices.units}
    kind = next((kind for key, kind in _TYPE_OF if key in priced), None)
    if kind is None:
        kind = "text" if "output_tokens" in priced else "embedding"
    return Model(
        id=package_id,
        name=model.name or model.id,
        provider=provider.id,
        type=kind,
        prices=prices,
        source=source,
        checked_on=None,
        context_tokens=model.context_window,
    )
