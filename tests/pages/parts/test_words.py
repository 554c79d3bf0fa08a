"""Addresses, names of actors and refusals as a screen shows them."""

import pytest
from streamlit.testing.v1 import AppTest

from credits_core.access.refusals import AlreadyProposed, PersonKnown
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.values.refusals import NotAllowed
from pages.parts import words
from tests.support.page_driver import as_read


@pytest.mark.parametrize(
    ("typed", "markdown"),
    [
        ("ada@example.org", r"ada:color[\@]example\.org"),
        ("ada.b+c@x-y.org, ben", r"ada\.b\+c:color[\@]x\-y\.org, ben"),
        ("https://example.org", r"https:color[\:]//example\.org"),
        ("WWW.example.org", r"WWW:color[\.]example\.org"),
        ("`ada@example.org`", r"\`ada:color[\@]example\.org\`"),
        ("5 @ 3", "5 @ 3"),
        ("a: b", r"a\: b"),
    ],
)
def test_what_markdown_would_make_a_link_is_kept_from_it_and_reads_the_same(typed: str, markdown: str) -> None:
    assert words.plain(typed) == markdown
    assert as_read(markdown) == typed


@pytest.mark.parametrize(
    ("refusal", "title", "body"),
    [
        (
            AlreadyProposed(1, "dashboard/ada@example.org"),
            "ada@example.org has proposed the same: see proposal 1.",
            "Nothing was proposed twice.",
        ),
        (PersonKnown("ada@example.org"), "ada@example.org may sign in already. Change the roles instead.", "Undone."),
        (
            NotAllowed("dashboard/ada@example.org", "propose payouts", ("finance", "admin")),
            "You may not propose payouts. Ask somebody with the role finance or admin.",
            "Undone.",
        ),
        (NotAllowed("dashboard", "see this", ()), "You may not see this.", "Undone."),
        (InvalidRequest("CREDITS_SEAL_KEY_FILE", "is not set"), "CREDITS_SEAL_KEY_FILE is not set.", "Undone."),
    ],
)
def test_a_refusal_is_a_whole_sentence_with_its_addresses_as_plain_text(
    refusal: CreditsError, title: str, body: str
) -> None:
    def screen(refusal):  # type: ignore[no-untyped-def]  # runs as a script of its own
        from pages.parts import show

        show.refusal(refusal, undone="Undone.")

    (error,) = AppTest.from_function(screen, kwargs={"refusal": refusal}, default_timeout=60).run().error
    assert (as_read(error.proto.title), as_read(error.value)) == (title, body)
    assert "`" not in error.proto.title + error.value
