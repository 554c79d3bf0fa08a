"""Keeps a copy of an answer's beginning while it is sent, for the list of calls."""

from dataclasses import dataclass, field

from starlette.types import Message

from credits_core.access.calls import LONGEST_BODY


@dataclass(slots=True)
class AnswerCopy:
    """The status of an answer (0 before it begins), how many bytes its body has so far, and the first of them."""

    status: int = 0
    sent_bytes: int = 0
    beginning: bytearray = field(default_factory=bytearray)

    def take(self, message: Message) -> None:
        """Look at a message that is being sent."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")
            self.beginning += body[: LONGEST_BODY - len(self.beginning)]
            self.sent_bytes += len(body)
