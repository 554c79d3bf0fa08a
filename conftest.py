"""Keeps the screens out of the tests: importing one would run it, as Streamlit does. Counts second tries."""

import re
from pathlib import Path

_PAGES = Path(__file__).parent / "pages"
_SCREENS = re.findall(r'"((?:[a-z]+/)?[a-z_]+\.py)"', (_PAGES / "navigation.py").read_text(encoding="utf-8"))
pytest_plugins = ["tests.support.second_tries"]
collect_ignore = [str(_PAGES / file) for file in ("navigation.py", *_SCREENS)]
