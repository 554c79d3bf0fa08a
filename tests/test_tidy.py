"""What a machine can check of the house style."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("credits_core", "pages", "benchmarks", "scripts", "tests")
SOURCES = [ROOT / "app.py", *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
PAGES = sorted((ROOT / "pages").glob("*.py"))
# Where a division or a float has nothing to do with credits: times, quantiles of tokens, prices in decimal.
NOT_ABOUT_CREDITS = {
    *("money", "tables", "database", "rollup", "workload", "price_source", "cli"),
    *("audit", "queries", "seed", "settings"),  # days and spans of time, and paths
    "quote_arrays",  # does in arrays what `money` does in whole numbers, and is proved equal to it
}
MONEY_MODULES = sorted(
    path.stem for path in (ROOT / "credits_core").glob("*.py") if path.stem not in NOT_ABOUT_CREDITS | {"__main__"}
)
UNWANTED_NAMES = {"utils", "helpers", "common", "manager", "misc"}
UNWANTED_TEXT = ["unsafe_allow_html", "use_container_width", "TO" + "DO", "FIX" + "ME", "except Exception"]


_INEXACT = {"round", "float", "divmod"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_holds_one_subject(path: Path) -> None:
    assert path.stem not in UNWANTED_NAMES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 420


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name != "test_tidy.py"], ids=relative)
def test_a_file_has_nothing_unwanted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [word for word in UNWANTED_TEXT if word in text] == []


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_a_page_is_one_screen_that_reads_like_a_script(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert "sqlalchemy" not in text


@pytest.mark.parametrize("module", MONEY_MODULES)
def test_credits_are_never_divided_or_rounded_outside_money(module: str) -> None:
    tree = ast.parse((ROOT / "credits_core" / f"{module}.py").read_text(encoding="utf-8"))
    inexact = [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod))
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _INEXACT)
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert inexact == []


@pytest.mark.parametrize("path", sorted((ROOT / "credits_core").glob("*.py")), ids=relative)
def test_only_the_edges_ask_for_the_time_or_make_ids(path: Path) -> None:
    if path.stem in {"cli", "api_key_commands", "database"}:
        return
    text = path.read_text(encoding="utf-8")
    assert [call for call in ("datetime.now(", "time.time(", "uuid4(", "date.today(") if call in text] == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_environment_variables_are_read_in_settings_alone(path: Path) -> None:
    if path.parent.name in {"tests", "scripts"} or path.stem == "settings":
        return
    text = path.read_text(encoding="utf-8")
    assert "os.environ" not in text
    assert "getenv" not in text
