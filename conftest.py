"""Keeps the screens out of the tests: importing one would run it, as Streamlit does. Counts second tries."""

import os
import re
import sys
from pathlib import Path

_PAGES = Path(__file__).parent / "pages"
_SCREENS = re.findall(r'"((?:[a-z]+/)?[a-z_]+\.py)"', (_PAGES / "navigation.py").read_text(encoding="utf-8"))
pytest_plugins = ["tests.support.second_tries"]
# Some machines keep no compiled modules. Then each Python that a test starts would compile all that it imports again,
# which takes three times as long as the import.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
collect_ignore = [str(_PAGES / file) for file in ("navigation.py", *_SCREENS)]
