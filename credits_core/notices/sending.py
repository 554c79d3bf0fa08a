"""Sends a message to every address that is set: e-mail, Slack and whatever else apprise knows."""

import logging
from collections.abc import Sequence
from typing import Any

from credits_core.notices.digest import Message

_SECONDS_PER_ADDRESS = 10
_log = logging.getLogger("promptflow.notices")


def send(message: Message, addresses: Sequence[str]) -> int:
    """Send the message to each address, and return how many took it. Waits at most ten seconds for each.

    An address that fails is logged without its secrets and keeps no other from its message.
    """
    import apprise  # takes half a second to load, and most processes send nothing

    taken = 0
    for number, address in enumerate(addresses, 1):
        service: Any = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        if service is None:
            _log.error("address %d of CREDITS_NOTIFY_URLS is no address that apprise knows", number)
            continue
        one = apprise.Apprise()
        one.add(service)
        if one.notify(message.body, title=message.title, timeout=_SECONDS_PER_ADDRESS):
            taken += 1
        else:
            _log.error("address %d of CREDITS_NOTIFY_URLS took no message: %s", number, service.url(privacy=True))
    return taken
