"""Two people who change price lists on the command line: nobody undoes the change of the other unseen."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.cli import main as cli
from tests.support.commands import models
from tests.support.plain_sql import every_row
from tests.support.prices import CHAT_PRICE, SHIPPED


def test_a_list_is_not_made_live_over_one_that_its_author_did_not_see(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "dearer.toml"
    path.write_text(SHIPPED.replace("= 30_000", "= 40_000", 1), encoding="utf-8")
    models("import", path)
    models("offer", "deepseek-chat", "--reason", "Asked for")
    before = every_row(ledger)
    changes = f"~ gpt-4: 30,000 credits per run -> 40,000 credits per run\n- deepseek/deepseek-chat: {CHAT_PRICE}\n"
    for named, said in (((), ""), (("--live-list", "1"), ", not 1")):
        monkeypatch.setattr(sys, "argv", ["credits_core", "models", "activate", "2", "--reason", "Dearer", *named])
        capsys.readouterr()
        with pytest.raises(SystemExit):
            cli.main()
        out, error = capsys.readouterr()
        assert out == changes
        assert error.startswith(
            f"error: Price list 3 is live{said}: 'deepseek/deepseek-chat offered', made live by cli/maria on "
        )
        assert error.endswith("then name the list that is live: --live-list 3.\n")
    assert every_row(ledger) == before
    assert models("activate", 2, "--live-list", 3, "--reason", "Seen") == (
        f"{changes}Price list 2 is live from the next charge on\n"
    )
