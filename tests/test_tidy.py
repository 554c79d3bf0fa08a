"""What a machine can check of the house style."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("credits_core", "pages", "benchmarks", "scripts", "tests")
SOURCES = [ROOT / "app.py", *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
PAGES = sorted((ROOT / "pages").glob("*.py"))
CORE = sorted((ROOT / "credits_core").rglob("*.py"))
# Modules that may divide whatever they like, with the reason.
DIVIDING_MODULES = {
    "money",  # it is for that
    "quote_arrays",  # does to arrays what `money` does to whole numbers, and is proved equal to it
    "workload",  # quantiles of token counts
    "settings",  # paths
    "metrics",  # seconds
}
# Elsewhere these alone, none of which is about credits.
DIVISIONS_OF_SOMETHING_ELSE = {
    "audit": {"CreditTransaction.created_at_us // MICROSECONDS_PER_DAY"},
    "database": {"PROJECT_FOLDER / 'credits_core' / 'migrations'", "PROJECT_FOLDER / 'credits_core'", "0.02"},
    "gate": {"round(seconds * 1000, 3)"},
    "queries": {
        "(CreditTransaction.created_at_us - first_us) // ((last_us - first_us) // points + 1)",
        "(last_us - first_us) // points",
        "(in_all - 1) // points",
        "(numbered.c.number - 1) % step",
    },
    "recorded_runs": {
        "PromptRun.created_at_us // MICROSECONDS_PER_DAY",
        "UnlockedFlow.created_at_us // MICROSECONDS_PER_DAY",
        "JournalEntry.created_at_us // MICROSECONDS_PER_DAY",
    },
    "rollup": {"CreditTransaction.created_at_us // MICROSECONDS_PER_DAY"},
    "seed": {
        "world.runs_per_day * (60 if is_weekend else 110) * (world.days + day) // (150 * world.days)",
        "days_since % person.every_days",
    },
    "simulation": {"user * _HABIT_STEP % BPS_PER_WHOLE"},
    "tables": {"(moment - _EPOCH) // _MICROSECOND"},
}
UNWANTED_NAMES = {"utils", "helpers", "common", "manager", "misc"}
UNWANTED_TEXT = ["unsafe_allow_html", "use_container_width", "TO" + "DO", "FIX" + "ME", "except Exception"]


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


def is_inexact(node: ast.AST) -> bool:
    """Whether this divides, rounds, or is a float."""
    match node:
        case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod()):
            return True
        case ast.AugAssign(op=ast.Div() | ast.FloorDiv() | ast.Mod()):
            return True
        case ast.Call(func=ast.Name(id="round" | "float" | "divmod")):
            return True
        case ast.Constant(value=float()):
            return True
    return False


@pytest.mark.parametrize("path", [path for path in CORE if path.stem not in DIVIDING_MODULES], ids=relative)
def test_credits_are_never_divided_or_rounded_outside_money(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = {ast.unparse(node) for node in nodes if is_inexact(node)}
    assert found == DIVISIONS_OF_SOMETHING_ELSE.get(path.stem, set())


@pytest.mark.parametrize("line", ["a / b", "a // b", "a % b", "a //= b", "divmod(a, b)", "round(a)", "float(a)", "0.5"])
def test_every_way_of_dividing_is_seen(line: str) -> None:
    assert any(is_inexact(node) for node in ast.walk(ast.parse(line)))


@pytest.mark.parametrize("path", sorted((ROOT / "credits_core").glob("*.py")), ids=relative)
def test_only_the_edges_ask_for_the_time_or_make_ids(path: Path) -> None:
    if path.stem in {"cli", "api_key_commands", "plan_commands", "database"}:
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
