from pathlib import Path

from tests.support.commands import Commands

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


def test_of_many_bad_rows_all_are_counted_and_the_first_ten_listed(commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}\n" + "tomorrow,1,1\n" * 1_020, encoding="utf-8")
    code, stdout, stderr = commands("replay", path, "--model", "openai/gpt-4o", "--user", "ada")
    assert (code, [line.split(": ")[1] for line in stdout.splitlines()]) == (1, [f"line {n}" for n in range(2, 12)])
    assert stderr == f"error: {path}: 1,020 problem(s), the first 10 listed above; nothing was changed\n"


def test_the_help_of_replay_names_the_columns_of_a_log(commands: Commands) -> None:
    assert f"{HEADER}(,RequestId)" in "".join(commands("replay", "--help")[1].split())
