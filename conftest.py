"""Keeps the screens out of the tests: importing one would run it, as Streamlit does."""

import re
from pathlib import Path

_PAGES = Path(__file__).parent / "pages"
_SCREENS = re.findall(r'"((?:[a-z]+/)?[a-z_]+\.py)"', (_PAGES / "navigation.py").read_text(encoding="utf-8"))
collect_ignore = [str(_PAGES / file) for file in ("navigation.py", *_SCREENS)]
