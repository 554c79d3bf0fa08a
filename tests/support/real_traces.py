"""Where the published traces lie, when they do: beside the checkout. They are not part of the project."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "data"
TRACES = {
    "conversation": _FOLDER / "AzureLLMInferenceTrace_conv.csv",
    "code": _FOLDER / "AzureLLMInferenceTrace_code.csv",
}
needs_traces = pytest.mark.skipif(
    not all(path.is_file() for path in TRACES.values()),
    reason=f"the published traces are not in {_FOLDER.parent.name}/{_FOLDER.name} beside the checkout",
)
