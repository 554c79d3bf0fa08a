"""The API's log: a JSON line on stderr for each write, failure and refusal of a known key. Keys are never in it."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def configure() -> None:
    """Send the API's log to stderr as JSON. Calling it again does nothing."""
    log = logging.getLogger("promptflow.api")
    if log.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )
    )
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
