"""What is loaded when only a part of the product is used."""

import subprocess
import sys

import pytest

HEAVY = {"sqlalchemy", "alembic", "psycopg", "fastapi", "starlette", "streamlit", "pandas", "plotly", "genai_prices"}


def loaded_by(script: str) -> set[str]:
    """The packages that a fresh process has loaded after the script."""
    told = subprocess.run(
        [sys.executable, "-c", f"{script}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "modules",
    [
        "pricing.models, credits_core.pricing.plan_toml, credits_core.pricing.quote, credits_core.pricing.quote_many",
        "lab.fees, credits_core.lab.inspector.findings, credits_core.lab.replay.report",
        "lab.scenario.simulation",
        "ledger.movements",
        "settings",
    ],
)
def test_pricing_needs_no_database_no_web_and_no_screen(modules: str) -> None:
    assert loaded_by(f"import credits_core.{modules}") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["simulate", "--help"], ["api-key", "--help"]])
def test_help_answers_without_loading_what_commands_need(arguments: list[str]) -> None:
    script = f"import sys; sys.argv = ['credits_core', *{arguments}]\nfrom credits_core.cli.main import main\n"
    assert loaded_by(f"{script}try: main()\nexcept SystemExit: pass") & (HEAVY | {"numpy"}) == set()


def test_the_core_with_everything_loads_no_screen() -> None:
    script = "import credits_core.api, credits_core.cli.main, credits_core.cli.ledger, credits_core.cli.plans"
    assert loaded_by(script) & {"streamlit"} == set()


def test_a_server_starts_without_loading_what_makes_files() -> None:
    assert loaded_by("import app") & {"fpdf"} == set()
