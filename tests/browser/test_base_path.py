"""A server whose addresses begin with a base path: the API and the metrics are below it too, and never a page."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect

from tests.support.live_dashboard import LiveDashboard, chromium, live_dashboard, tab

pytestmark = pytest.mark.long
BASE_PATH = "/tools/credits"
WALK = Path(__file__).resolve().parent.parent.parent / "docs" / "api.md"
FOR_NGINX = re.compile(r"^```nginx\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NGINX_FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@pytest.fixture(scope="module", params=["tools/credits", "/tools/credits/", ""])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDashboard]:
    folder = tmp_path_factory.mktemp("below")
    with live_dashboard(folder, STREAMLIT_SERVER_BASE_URL_PATH=request.param, CREDITS_DEMO="1") as live:
        yield live


@pytest.fixture(params=["root", "address"])
def at(request: pytest.FixtureRequest, live: LiveDashboard) -> str:
    """The address of the server, and that of the dashboard below its base path."""
    address: str = getattr(live, request.param)
    return address


def get(url: str, **headers: str) -> tuple[int, str]:
    answer = requests.get(url, headers=headers, timeout=120, allow_redirects=False)
    return answer.status_code, answer.headers["Content-Type"]


def test_a_probe_is_answered_by_the_api_and_not_by_the_dashboard(at: str) -> None:
    assert requests.get(f"{at}/api/health", timeout=120).json() == {"status": "ok"}
    assert requests.get(f"{at}/api/ready", timeout=120).json() == {"status": "ok"}
    assert get(f"{at}/api/healthy") == (401, "application/problem+json")
    assert get(f"{at}/api/credits/balance?user_id=ada") == (401, "application/problem+json")


def test_metrics_are_for_this_machine_alone(at: str) -> None:
    answer = requests.get(f"{at}/metrics", timeout=120)
    assert answer.headers["Content-Type"].startswith("text/plain; ")
    assert "promptflow_circulating_credits" in answer.text
    status, _ = get(f"{at}/metrics", **{"X-Forwarded-For": "203.0.113.7"})
    assert status == 401


def test_the_documentation_names_the_addresses_below_the_path(at: str) -> None:
    path = f"{at.partition('//')[2].partition('/')[1]}{at.partition('//')[2].partition('/')[2]}/api"
    assert requests.get(f"{at}/api/openapi.json", timeout=120).json()["servers"] == [{"url": path}]
    moved = requests.get(f"{at}/api", timeout=120, allow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (307, f"{path}/docs")
    page = requests.get(f"{at}/api/docs", timeout=120).text
    files = re.findall(r'(?:src|href)="([^"]+)"|url: \'([^\']+)\'', page)
    named = [one or other for one, other in files]
    assert len(named) >= 4
    root = at.removesuffix(BASE_PATH)
    assert [(name, get(f"{root}{name}")[0]) for name in named] == [(name, 200) for name in named]
    assert [name for name in named if not name.startswith(f"{path}/")] == []


def test_what_the_api_screen_shows_works_as_it_stands(live: LiveDashboard) -> None:
    with chromium() as browser, tab(browser, live) as page:
        page.goto(f"{live.address}/api-console?example=Balance")
        expect(page.get_by_role("heading", name="API", level=1)).to_be_visible()
        link = page.get_by_role("link", name="Read the documentation")
        expect(link).to_have_attribute("href", f"{live.address}/api/docs")
        page.get_by_role("tab", name="curl").click()
        shown = page.locator("code", has_text="curl").first
        expect(shown).to_be_visible()
        command = shlex.split(shown.inner_text().replace("\\\n", " "))
        (url,) = (word for word in command if word.startswith("http"))
        assert url.startswith(f"{live.address}/api/credits/balance?user_id=")
        assert get(url) == (401, "application/problem+json")
        # The documentation loads and asks below the path as well.
        page.goto(f"{live.address}/api/docs")
        expect(page.get_by_role("heading", name="PromptFlow credits")).to_be_visible()


def require_nginx() -> str:
    """The program. Without it the test is skipped, or fails when `REQUIRE_NGINX=1`."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        reason = "no nginx: install Debian's nginx package"
        if os.environ.get("REQUIRE_NGINX") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return nginx


def test_nginx_understands_the_blocks_of_the_document(tmp_path: Path) -> None:
    blocks = FOR_NGINX.findall(WALK.read_text(encoding="utf-8"))
    assert len(blocks) == 2
    nginx = require_nginx()
    # Everything in the test's folder, because only root may write where nginx writes otherwise.
    folders = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in NGINX_FOLDERS)
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.conf"
        server = f"access_log off;\n{folders}server {{\nlisten 127.0.0.1:8080;\n{block}}}\n"
        settings = f"pid {tmp_path}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        file.write_text(f"{settings}http {{\n{server}}}\n", encoding="utf-8")
        ran = subprocess.run([nginx, "-t", "-c", str(file)], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
