"""What a machine can check of the house style."""

import ast
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("credits_core", "pages", "benchmarks", "scripts", "tests")
SOURCES = [ROOT / "app.py", *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
NAVIGATION = (ROOT / "pages" / "navigation.py").read_text(encoding="utf-8")
SCREENS = [ROOT / "pages" / file for file in re.findall(r'"((?:[a-z]+/)?[a-z_]+\.py)"', NAVIGATION)]
CORE = sorted((ROOT / "credits_core").rglob("*.py"))
# Modules that may divide whatever they like, with the reason.
DIVIDING_MODULES = {
    "values/credits",  # it is for that
    "values/text",  # writes credits as decimals
    "pricing/usage_price",  # exact fractions
    "pricing/quote_many",  # does to arrays what `values.credits` does to whole numbers, and is proved equal to it
    "lab/scenario/workload",  # quantiles of token counts
    "settings",  # paths
    "api/metrics",  # seconds
    "api/metrics_of_state",  # what is not known is no number
}
# Elsewhere these alone, none of which is about credits.
DIVISIONS_OF_SOMETHING_ELSE = {
    "access/calls": {"round(call.latency_ms * 1000)", "row.latency_us / 1000"},  # milliseconds
    "api/gate": {"round(seconds * 1000, 3)"},
    "api/connections": {"self._received_bytes // BYTES_PER_MORE_SECOND"},
    "api/workers": {"0.5"},  # seconds
    "bulk/demo_events": {"world.runs_per_day * (60 if is_weekend else 110) * (world.days + day) // (150 * world.days)"},
    "bulk/demo_usage": {"counts[draw.of] * drawn // 100"},  # a percentage of a count
    "bulk/group_commit": {"0.5"},  # seconds
    "bulk/pieces": {"0.005"},  # seconds
    "ledger/requests": {"self.lasts // timedelta(microseconds=1)"},
    "operations/backups/manifest": {"drilled.took // timedelta(microseconds=1)"},
    "pricing/models_toml": {"per // 1000"},  # units, in a refusal
    "datasets/costs": {"at_us[positions] // _MINUTE_US"},
    "datasets/importing": {"counts.rows % _ROWS_BETWEEN"},
    "lab/scenario/simulation": {"user * _HABIT_STEP % BPS_PER_WHOLE"},
    "ledger/accounts": {
        "(CreditTransaction.created_at_us - first_us) // ((last_us - first_us) // points + 1)",
        "(last_us - first_us) // points",
        "(in_all - 1) // points",
        "(numbered.c.number - 1) % step",
    },
    "operations/alert_state": {"ago // timedelta(seconds=1)"},
    "operations/verdicts": {"age // of"},  # days, hours or minutes
    "operations/watch_keys": {"first_us // window_us", "used.c.created_at_us // window_us"},
    "reports/users": {
        "timedelta(days=30) // timedelta(microseconds=1)",
        "(ranked.c.runs + 1) // 2",  # the rank of the median
        "balance_credits // median_credits",  # a number of runs
    },
    "reports/margin": {  # in SQL, where nothing is below 0
        "(rest * card_fee.share_bps + BPS_PER_WHOLE - 1) // BPS_PER_WHOLE",
        "paid_credits % BPS_PER_WHOLE",
        "paid_credits // BPS_PER_WHOLE",
    },
    "store/day_columns": {"(moment_us + added_us) // MICROSECONDS_PER_DAY"},
    "store/database": {"Path(__file__).parent / 'migrations'", "0.02", "0.005"},
    "store/file_lock": {"0.0005"},  # seconds
    "store/postgres": {"0.1"},  # seconds
    "store/statements": {"len(rows) % _HUNDRED"},
    "usage/reading": {"survey.rows % _ROWS_BETWEEN"},
    "values/day_arrays": {"(moments_us + offsets[holds, 1]) // MICROSECONDS_PER_DAY"},
    "values/days": {"(moment - _EPOCH) // _MICROSECOND"},
    "values/time_zones": {
        "(moment_us + self.offsets(moment_us, moment_us)[-1][1]) // MICROSECONDS_PER_DAY",
        "(first - last) // (2 * _SECOND)",
        "(shown_before_us - 1) // MICROSECONDS_PER_DAY",
        "offset // _MICROSECOND",
        "(moment - _EPOCH) // _MICROSECOND",
    },
}
UNWANTED_NAMES = {"utils", "helpers", "common", "manager", "misc"}
UNWANTED_TEXT = ["unsafe_allow_html", "use_container_width", "TO" + "DO", "FIX" + "ME", "except Exception"]


def room_and_module(path: Path) -> str:
    return path.relative_to(ROOT / "credits_core").with_suffix("").as_posix()


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_file_holds_one_subject() -> None:
    assert [relative(path) for path in SOURCES if path.stem in UNWANTED_NAMES] == []
    assert {relative(path) for path in SOURCES if len(text_of(path).splitlines()) > 420} == set()


def test_a_file_has_nothing_unwanted() -> None:
    others = [path for path in SOURCES if path.name != "test_tidy.py"]
    assert [(relative(path), word) for path in others for word in UNWANTED_TEXT if word in text_of(path)] == []


@pytest.mark.parametrize("path", SCREENS, ids=relative)
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


def test_credits_are_never_divided_or_rounded_outside_money() -> None:
    found = {
        room_and_module(path): {ast.unparse(node) for node in ast.walk(ast.parse(text_of(path))) if is_inexact(node)}
        for path in CORE
        if room_and_module(path) not in DIVIDING_MODULES
    }
    assert {module: divisions for module, divisions in found.items() if divisions} == DIVISIONS_OF_SOMETHING_ELSE


@pytest.mark.parametrize("line", ["a / b", "a // b", "a % b", "a //= b", "divmod(a, b)", "round(a)", "float(a)", "0.5"])
def test_every_way_of_dividing_is_seen(line: str) -> None:
    assert any(is_inexact(node) for node in ast.walk(ast.parse(line)))


def test_only_the_edges_ask_for_the_time_or_make_ids() -> None:
    # Waits between two attempts; ids of requests; gives the gateways their clock.
    edges = {"store/database", "logs", "payments/configured"}
    inner = [path for path in CORE if path.parent.name not in {"api", "cli"} and room_and_module(path) not in edges]
    calls = ("datetime.now(", "time.time(", "uuid4(", "date.today(")
    assert [(relative(path), call) for path in inner for call in calls if call in text_of(path)] == []


def test_every_screen_of_the_navigation_is_there() -> None:
    assert len(SCREENS) >= 14
    assert [relative(path) for path in SCREENS if not path.exists()] == []


@pytest.mark.parametrize("folder", ["pages", "credits_core/api", "credits_core/cli"])
def test_days_that_people_choose_have_the_time_zone_that_is_set(folder: str) -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / folder).rglob("*.py"))]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    ranges = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "DayRange"]
    assert len(ranges) > 0
    assert [
        ast.unparse(call)
        for call in ranges
        if len(call.args) < 3 and "zone" not in {keyword.arg for keyword in call.keywords}
    ] == []


ROOMS = sorted(path.parent for path in (ROOT / "credits_core").rglob("__init__.py"))


@pytest.mark.parametrize("room", [room for room in ROOMS if room != ROOT / "credits_core"], ids=relative)
def test_a_room_has_a_sentence_at_its_door_and_re_exports_nothing(room: Path) -> None:
    if room.name == "api":  # `uvicorn credits_core.api:app` is documented
        return
    (sentence,) = ast.parse((room / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(sentence, ast.Expr)
    assert isinstance(sentence.value, ast.Constant)


def test_no_module_lies_in_the_corridor() -> None:
    flat = {path.stem for path in (ROOT / "credits_core").glob("*.py")}
    assert flat == {"__init__", "__main__", "errors", "logs", "settings", "startup"}


def test_tests_lie_beside_their_rooms() -> None:
    rooms = {path.name for path in (ROOT / "credits_core").iterdir() if path.is_dir()} - {"__pycache__"}
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - {"__pycache__"}
    assert tested - rooms == {"browser", "pages", "support"}
    assert rooms - tested == set()


def test_no_folder_of_tests_is_left_out_because_of_its_name(pytestconfig: pytest.Config) -> None:
    left_out = pytestconfig.getini("norecursedirs")
    folders = {folder for path in SOURCES for folder in path.relative_to(ROOT).parts[:-1]}
    assert [folder for folder in sorted(folders) if any(fnmatch(folder, pattern) for pattern in left_out)] == []


def test_environment_variables_are_read_in_settings_alone() -> None:
    free = {"tests", "scripts"}
    product = [path for path in SOURCES if path.relative_to(ROOT).parts[0] not in free and path.stem != "settings"]
    readers = ("os.environ", "getenv")
    assert [(relative(path), reader) for path in product for reader in readers if reader in text_of(path)] == []
