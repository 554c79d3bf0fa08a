"""Writes Prometheus' rules from the table of alerts: `python -m scripts.write_alert_rules`.

Run it after a rule or a limit is changed in `credits_core/operations/alert_rules.py`. A test fails when the files are
not those of the table.
"""

from pathlib import Path

from credits_core.operations.alert_rules import RECORDED, RULES, Rule

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "prometheus"
_HEAD = (
    "# Written by `python -m scripts.write_alert_rules` from credits_core/operations/alert_rules.py: change it there.\n"
)


def files() -> dict[str, str]:
    """The text of each file by its name."""
    recorded = "".join(f"      - record: {name}\n        expr: {_quoted(text)}\n" for name, text in RECORDED.items())
    return {
        "recording.yml": f"{_HEAD}groups:\n  - name: promptflow-recorded\n    rules:\n{recorded}",
        "alerts.yml": f"{_HEAD}groups:\n  - name: promptflow\n    rules:\n{''.join(map(_alert, RULES))}",
    }


def _alert(rule: Rule) -> str:
    lines = [
        f"- alert: {rule.name}",
        f"  expr: {_quoted(rule.expression)}",
        f"  for: {rule.lasts_minutes}m",
        "  labels:",
        f"    severity: {'urgent' if rule.is_urgent else 'soon'}",
        "  annotations:",
        f"    summary: {_quoted(rule.said)}",
        f"    runbook: {_quoted(f'docs/runbook.md#{rule.name.lower()}')}",
    ]
    return "".join(f"      {line}\n" for line in lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def main() -> None:
    """Write both files."""
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
