"""The browser's window, of which the server knows only whether it is narrow.

Streamlit folds its sidebar below 768 pixels; ours folds below 900, and tables then leave out what matters least. The
browser says so once, and again when the window passes that width. Until then a window is taken to be wide.
"""

import streamlit as st

NARROW_PIXELS = 900
_KEY = "window"
_report = st.components.v2.component(
    "promptflow.window",
    js=f"""
export default function ({{ data, parentElement, setStateValue }}) {{
  const narrow = (parentElement.narrow ??= window.matchMedia("(width < {NARROW_PIXELS}px)"));
  narrow.onchange = () => setStateValue("is_narrow", narrow.matches);
  if (narrow.matches !== data.is_narrow) narrow.onchange();
}}
""",
)


def is_narrow() -> bool:
    """Whether the window was narrow when the browser last said so."""
    return bool(st.session_state.get(_KEY, {}).get("is_narrow"))


def watch() -> None:
    """Have the browser say whether the window is narrow. It draws nothing."""
    _report(key=_KEY, data={"is_narrow": is_narrow()}, on_is_narrow_change=lambda: None)
