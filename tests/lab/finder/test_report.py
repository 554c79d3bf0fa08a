"""The answer in words, as JSON and on paper: every sentence and number written out for a few runs."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pypdf
import pytest

from credits_core.lab.finder import paper, report
from credits_core.lab.finder.measures import Assessor, Figures, Goal
from credits_core.lab.finder.rules import Rules
from credits_core.lab.finder.search import Answer, Found, Question, Search, with_ids
from credits_core.lab.finder.space import Moves, Span
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.pricing.plan_toml import parse_price_plan
from credits_core.values.progress import finish
from tests.lab.finder.test_measures import FLAT_20, three_users

QUESTION = Question(Moves(rates=Span(1_900, 2_200, 50)), Rules(card_fee=None))


def answered(question: Question = QUESTION) -> Answer:
    return with_ids(finish(Search(Assessor(three_users(), FLAT_20), question).steps()), FLAT_20, {})


def test_a_plan_is_explained_in_three_sentences() -> None:
    answer = answered()
    # 2 % more of 1,000 twice, of 10,000 and of 90,000 is 2,040; of ada's 2,400 it is 40, of ben's 120,000 2,000.
    assert report.why(answer.best[0], answer, FLAT_20) == (
        "We earn 2,040 credits ($0.00204) more (+9.95 %) than under flat-20.",
        "2 of 3 users pay more, at most 1.67 % more.",
        "It has no cliff and 1 tier, and of every plan there is none is better in platform income and highest "
        "increase together.",
    )
    assert report.summary(answer) == "All 7 possible plans tried: 7 hold the rules, 5 are the best."


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"users_paying_more": 0}, "No user pays more."),
        ({"users_paying_more": 1, "users": 1}, "1 of 1 user pays more, at most 1.67 % more."),
        (
            {"refused_charges": 1},
            "2 of 3 users pay more, at most 1.67 % more; 1 run would be refused for lack of credits.",
        ),
    ],
)
def test_the_second_sentence_says_who_pays(change: dict[str, int], sentence: str) -> None:
    answer = answered()
    first = answer.best[0]
    changed = replace(first, figures=replace(first.figures, **change))
    assert report.why(changed, answer, FLAT_20)[1] == sentence


def test_the_same_income_and_more_for_creators_read_well() -> None:
    answer = answered()
    figures = replace(answer.today, creators_received_credits=500)
    other = Found(PricePlan("other", 10_000, (MarkupTier(None, 2_000, None),)), figures, ())
    assert report.why(other, answer, FLAT_20)[0] == (
        "We earn as much as under flat-20, and creators receive 100 credits ($0.0001) more (+25 %)."
    )


def test_the_answer_is_json_with_the_plans_as_toml() -> None:
    found = report.as_json(answered(), FLAT_20)
    assert {name: found["current"][name] for name in ("platform_income_credits", "users_paid_credits", "id")} == {
        "platform_income_credits": 20_500,
        "users_paid_credits": 124_900,
        "id": "flat-20",
    }
    first = found["plans"][0]
    assert (first["platform_income_credits"], first["users_paid_credits"]) == (22_540, 126_940)
    assert (first["creators_received_credits"], first["highest_increase_bps"]) == (400, 167)
    assert parse_price_plan(first["toml"]).tiers == (MarkupTier(None, 2_200, None),)
    assert [one["highest_increase_bps"] for one in found["plans"]] == [167, 125, 83, 42, 0]  # cara pays the same
    assert (found["tried"], found["every_plan_tried"], found["stopped"]) == (7, True, False)
    assert found["earn_more_and_raise_nobodys_bill"] == []
    assert found["why_none"] == report.NO_FREE_LUNCH


def test_a_plan_that_earns_more_and_charges_nobody_more_is_named() -> None:
    # Where creators may receive less, we can earn more at no user's cost.
    question = Question(
        Moves(creator_share=Span(5_000, 8_000, 1_000)), Rules(card_fee=None, creators_keep=False), (Goal.PLATFORM,)
    )
    answer = answered(question)
    found = report.as_json(answer, FLAT_20)
    assert [one.plan.id for one in report.free_gains(answer)] == ["flat-20-found"]
    assert (found["earn_more_and_raise_nobodys_bill"], found["why_none"]) == (["flat-20-found"], None)


def test_what_is_in_the_way_of_every_plan_is_said() -> None:
    answer = answered(Question(Moves(rates=Span(2_500, 2_600, 50)), Rules(card_fee=None, most_increase_bps=10)))
    assert list(report.lines(answer, FLAT_20)) == [
        "All 3 possible plans tried: 0 hold the rules, 0 are the best.",
        "No plan holds all rules. What was in the way, and in how many plans: a user who pays too much more (3).",
    ]


def test_the_chosen_plans_are_on_paper_with_every_number() -> None:
    answer = answered()
    file = paper.pdf(
        answer.best[:2], answer, FLAT_20, scope="All days: 5 runs.", made_at=datetime(2026, 11, 22, tzinfo=UTC)
    )
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(file)).pages)
    words = " ".join(text.split())
    for said in (
        "All days: 5 runs. Made on 2026-11-22 UTC.",
        "flat-20 20,500 0 124,900 400 0 % 0 of 3",
        "flat-20-found 22,540 +2,040 126,940 400 +1.67 % 2 of 3",
        "We earn 2,040 credits ($0.00204) more (+9.95 %) than under flat-20.",
        "markup_bps = 2200",
        "markup_bps = 2150",
    ):
        assert said in words, said
    assert "markup_bps = 2100" not in words


def test_fairness_is_the_gap_between_smaller_and_larger_users() -> None:
    figures = Figures(0, 0, 0, 0, 0, 0, 2, 0, -30, 45)
    assert (figures.fairness_gap_bps, figures.measure(Goal.FAIRNESS)) == (75, 75)
