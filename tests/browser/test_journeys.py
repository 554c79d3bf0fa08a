"""The main journeys in a real browser, on a real server with a database of its own."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect

from tests.support.live_dashboard import PATIENCE_SECONDS, LiveDashboard, live_dashboard, new_context, tab

pytestmark = pytest.mark.long
fcntl = pytest.importorskip("fcntl", reason="the lock that the tests hold is a POSIX one")
LOCKS = Path("/proc/locks")
RUNS = "SELECT COUNT(*), COALESCE(SUM(total_credits), 0) FROM prompt_runs"


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDashboard]:
    with live_dashboard(tmp_path_factory.mktemp("live"), CREDITS_DEADLINE_SECONDS="300") as live:
        yield live


@pytest.fixture
def page(browser: Browser, live: LiveDashboard) -> Iterator[Page]:
    with tab(browser, live) as page:
        yield page


@pytest.fixture
def click(page: Page, live: LiveDashboard) -> Callable[[Locator], None]:
    """Clicks, and returns when the server has been told."""
    sockets: list[WebSocket] = []
    page.on("websocket", lambda opened: sockets.append(opened))  # Playwright marks the function that it is given

    def click_and_tell(locator: Locator) -> None:
        with sockets[-1].expect_event("framesent", timeout=PATIENCE_SECONDS * 1_000):
            locator.click()
        for _ in range(2):  # the server reads what it was sent before it answers what is asked later
            assert page.request.get(f"{live.address}/_stcore/health").ok

    return click_and_tell


def open_page(page: Page, live: LiveDashboard, path: str, title: str) -> None:
    page.goto(f"{live.address}{path}")
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()


def choose(page: Page, label: str, text: str) -> None:
    box = page.get_by_role("combobox", name=label, exact=True)
    box.fill(text)
    box.press("Enter")


def button(page: Page, label: str) -> Locator:
    return page.get_by_role("button", name=label, exact=True)


def shown(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_text(text).first).to_be_visible()


def give_credits(page: Page, live: LiveDashboard, user: str, dollars: int) -> None:
    open_page(page, live, f"/add-credits?user={user}&unit=Dollars&dollars={dollars}", "Add credits")
    button(page, "Add credits").click()
    shown(page, re.compile(f"^Added .* to {user}"))


def lock_of(live: LiveDashboard) -> Path:
    return live.database.with_name("credits.db.lock")


@contextmanager
def nobody_can_write(live: LiveDashboard) -> Iterator[None]:
    """Holds the lock that every unit of work takes, so that whatever is charged waits until the block ends."""
    with lock_of(live).open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield


def somebody_waits(page: Page, live: LiveDashboard) -> None:
    """Until a unit of work waits for the lock: whoever waits holds the queue."""
    if not LOCKS.exists():  # only Linux tells who holds what
        page.wait_for_timeout(3_000)
        return
    queue = lock_of(live).with_suffix(".queue")
    until = time.monotonic() + PATIENCE_SECONDS
    while not (queue.exists() and re.search(rf"FLOCK .*:{queue.stat().st_ino} ", LOCKS.read_text())):
        assert time.monotonic() < until, "nothing is being charged"
        page.wait_for_timeout(20)


def test_a_newcomer_adds_credits_runs_a_prompt_and_finds_it_in_the_history(page: Page, live: LiveDashboard) -> None:
    open_page(page, live, "/simulate-runs", "Simulate runs")
    shown(page, "Add credits first")
    page.get_by_test_id("stMain").get_by_role("link", name="Add credits").click()
    expect(page).to_have_url(re.compile("/add-credits"))
    choose(page, "User", "maya")
    shown(page, "maya does not exist yet. Adding credits creates the user.")
    button(page, "$5").click()
    shown(page, "5,000,000 credits ($5.00)")
    button(page, "Add credits").click()
    shown(page, "Added 5,000,000 credits ($5.00) to maya, by entry 1.")

    page.get_by_test_id("stSidebar").get_by_role("link", name="Test bench").click()
    page.get_by_role("link", name="Many runs").click()
    expect(page.get_by_role("heading", name="Simulate runs", level=1)).to_be_visible()
    choose(page, "Model", "claude-3-haiku")
    shown(page, "250 credits ($0.00025) per run")
    button(page, "Run").click()
    shown(page, "maya paid 300 credits ($0.0003), by entry 2.")
    shown(page, "maya holds 4,999,700 credits ($5.00), which is enough.")
    expect(page.get_by_role("table", name="Every step of the price")).to_have_count(2)

    page.get_by_role("link", name="Entry 2 in the history").click()
    shown(page, "Entry 2: Run of free-form on claude-3-haiku")
    table = page.get_by_role("table", name="The entry's transactions")
    expect(table.get_by_role("row").nth(1)).to_contain_text("-300")
    assert "entry=2" in page.url
    page.get_by_role("link", name="Explain this charge").click()
    shown(page, "Recalculated from the stored inputs: matches the charge exactly.")
    expect(page).to_have_url(re.compile(r"/explain-charge\?entry=2$"))
    page.get_by_role("link", name="Entry 2 in the history").click()
    expect(page).to_have_url(re.compile(r"/history\?entry=2$"))
    shown(page, "Entry 2: Run of free-form on claude-3-haiku")
    assert live.rows("SELECT account_id, amount_credits FROM credit_transactions WHERE entry_id = 2") == [
        ("maya", -300),
        ("platform:revenue", 50),
        ("platform:inference", 250),
    ]


def test_a_double_click_charges_once(page: Page, live: LiveDashboard) -> None:
    give_credits(page, live, "nina", 1)
    ((before, _),) = live.rows(RUNS)
    open_page(page, live, "/simulate-runs?user=nina&model=gpt-4", "Simulate runs")
    button(page, "Run").dblclick()
    shown(page, "nina holds 967,000 credits ($0.967), which is enough.")
    shown(page, re.compile(r"^nina paid 33,000 credits \(\$0\.033\)"))
    assert live.rows(RUNS)[0][0] == before + 1


def test_a_second_click_while_the_first_one_is_being_charged_shows_its_receipt(
    page: Page, live: LiveDashboard, click: Callable[[Locator], None]
) -> None:
    give_credits(page, live, "olga", 1)
    open_page(page, live, "/test-credits?user=olga&model=claude-3-haiku", "Test bench")
    shown(page, "1,000,000")
    with nobody_can_write(live):
        button(page, "Run").click()
        somebody_waits(page, live)
        click(button(page, "Run"))
        assert live.rows("SELECT COUNT(*) FROM prompt_runs WHERE user_id = 'olga'") == [(0,)]
    shown(page, "This click was a repeat and was not charged")
    shown(page, re.compile(r"^olga paid 300 credits \(\$0\.0003\) once"))
    assert live.rows("SELECT COUNT(*) FROM prompt_runs WHERE user_id = 'olga'") == [(1,)]
    button(page, "New run").click()
    expect(page.get_by_text("This click was a repeat and was not charged")).to_have_count(0)
    button(page, "Run").click()
    shown(page, re.compile(r"^olga paid 300 credits \(\$0\.0003\), by entry"))
    assert live.rows("SELECT COUNT(*) FROM prompt_runs WHERE user_id = 'olga'") == [(2,)]


def test_the_receipt_is_shown_although_something_else_was_chosen_meanwhile(
    page: Page, live: LiveDashboard, click: Callable[[Locator], None]
) -> None:
    give_credits(page, live, "pia", 1)
    open_page(page, live, "/simulate-runs?user=pia&model=claude-3-haiku", "Simulate runs")
    shown(page, "Prices of all models")  # the page is drawn to its end
    with nobody_can_write(live):
        button(page, "Run").click()
        somebody_waits(page, live)
        click(page.get_by_text("Prices of all models"))
    shown(page, re.compile(r"^pia paid 300 credits \(\$0\.0003\), by entry"))
    assert live.rows("SELECT COUNT(*) FROM prompt_runs WHERE user_id = 'pia'") == [(1,)]


def test_a_batch_that_something_stopped_is_continued_where_it_was(
    page: Page, live: LiveDashboard, click: Callable[[Locator], None]
) -> None:
    give_credits(page, live, "rita", 1)
    open_page(page, live, "/simulate-runs?user=rita&model=claude-3-haiku&runs=250", "Simulate runs")
    shown(page, "Prices of all models")  # the page is drawn to its end
    with nobody_can_write(live):
        button(page, "Run 250 times").click()
        somebody_waits(page, live)
        click(page.get_by_text("Prices of all models"))
    so_far = page.get_by_text(re.compile("^Charged [0-9]+ of 250 runs to rita so far")).first
    expect(so_far).to_be_visible()
    charged = int(so_far.inner_text().split()[1])  # a piece ends after a time, and not after a number of runs
    assert 0 < charged < 250
    assert live.rows("SELECT COUNT(*) FROM prompt_runs WHERE user_id = 'rita'") == [(charged,)]
    button(page, "Continue the batch").click()
    shown(page, "Charged 250 of 250 runs to rita.")
    assert live.rows("SELECT balance_credits FROM user_credits WHERE user_id = 'rita'") == [(1_000_000 - 75_000,)]


def test_a_link_opens_as_it_was_sent(page: Page, live: LiveDashboard) -> None:
    for user in ("abe", "sam"):  # the first user is the box's default, which no link names
        give_credits(page, live, user, 1)
    open_page(
        page, live, "/simulate-runs?user=sam&prompt=my-prompt&creator=tom&fee=1001&model=openai/gpt-4o", "Simulate runs"
    )
    choose(page, "Model", "gpt-image-1")
    expect(page).to_have_url(re.compile("model=gpt-image-1"))
    page.reload()
    shown(page, "31,001")
    for name, value in {"user": "sam", "prompt": "my-prompt", "creator": "tom", "fee": "1001"}.items():
        assert f"{name}={value}" in page.url


def test_a_period_goes_along_from_screen_to_screen_and_back(page: Page, live: LiveDashboard) -> None:
    give_credits(page, live, "tara", 1)
    open_page(page, live, "/", "Overview")
    control = page.get_by_role("radiogroup", name="Days of posting (UTC)")
    control.get_by_text("7 days").click()
    expect(page).to_have_url(re.compile(r"/\?period=7d$"))
    page.get_by_test_id("stSidebar").get_by_role("link", name=re.compile("History$")).click()
    expect(page).to_have_url(re.compile(r"/history\?period=7d$"))
    control.get_by_text("Last month").click()
    expect(page).to_have_url(re.compile(r"/history\?period=last-month$"))
    shown(page, "No movement matches these filters.")
    page.go_back()
    expect(page).to_have_url(re.compile(r"/history\?period=7d$"))
    expect(page.get_by_text("No movement matches these filters.")).to_have_count(0)
    page.reload()
    expect(control.get_by_role("radio", name="7 days")).to_be_checked()


def test_an_unexpected_failure_shows_a_reference_and_the_log_alone_has_the_traceback(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with live_dashboard(tmp_path_factory.mktemp("failing")) as live, closing(new_context(browser)) as context:
        page = context.new_page()
        open_page(page, live, "/add-credits", "Add credits")
        expect(page.get_by_role("combobox", name="User")).to_be_visible()
        with closing(sqlite3.connect(live.database)) as connection:
            connection.execute("ALTER TABLE user_credits RENAME TO lost")
        page.reload()
        shown(page, "The database does not answer")
        said = page.get_by_test_id("stMain").inner_text()
        reference = re.search(r"reference ([0-9a-f]{8})", said)
        assert reference is not None
        assert re.search(r"Traceback|sqlite|user_credits|\.py", said) is None
        assert live.log.count(f'"reference": "{reference[1]}"') == 1
        assert "no such table: user_credits" in live.log
