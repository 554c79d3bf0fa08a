"""Searches a space of plans for the best ones: those that no other plan beats in everything that counts. Pure.

A space that is small enough is tried completely. In a larger one Optuna's NSGA-II proposes plans, and then the steps
around the best ones are tried. Every plan is priced exactly and checked by the exact inspector; the same question with
the same seed gives the same answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

from credits_core.errors import InvalidRequest
from credits_core.lab.finder.measures import Assessor, Figures, Goal
from credits_core.lab.finder.rules import Rule, Rules
from credits_core.lab.finder.space import Moves, Place, space_of
from credits_core.lab.inspector.cures import cures, free_id, same_rules
from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding
from credits_core.pricing.plan_link import to_line
from credits_core.values.credits import BPS_PER_WHOLE, div_floor
from credits_core.values.progress import Progress, Work

USUAL_PLANS = 1_000
"""How many plans are tried unless somebody says otherwise."""
MOST_PLANS = 20_000
_POPULATION = 60
_PROPOSED_PER_HUNDRED = 60
_TRIALS_PER_PLAN = 4
"""A search ends when it keeps coming back to plans that it has tried."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for: what may move, what must hold, what counts, and how many plans are tried at most."""

    moves: Moves
    rules: Rules
    goals: tuple[Goal, ...] = (Goal.PLATFORM, Goal.INCREASE)
    seed: int = 1
    most_plans: int = USUAL_PLANS


@dataclass(frozen=True, slots=True)
class Found:
    """A plan that holds all rules, what it comes to, and where it is in the space."""

    plan: PricePlan
    figures: Figures
    place: Place


@dataclass(frozen=True, slots=True)
class Answer:
    """The best plans of those that were tried, the best one in what counts first at the top.

    `fitting` of the `tried` plans held all rules. `is_complete` says that no plan of the space is left; `broken` counts
    how many plans broke each rule.
    """

    question: Question
    today: Figures
    best: tuple[Found, ...]
    tried: int
    fitting: int
    is_complete: bool
    broken: tuple[tuple[Rule, int], ...]


class Search:
    """One search. `steps` carries it out; `answer` can be asked at any time, and is the best so far."""

    def __init__(self, assessor: Assessor, question: Question) -> None:
        self.assessor, self.question = assessor, question
        moves = question.moves
        if not assessor.has_fees:  # rules about creator fees change nothing then
            moves = replace(moves, creator_share=None, minimum_income=None, minimum_is_markup=False)
        self.space = space_of(assessor.today, moves)
        if not 1 <= question.most_plans <= MOST_PLANS:
            raise InvalidRequest("plans", f"must be a number from 1 to {MOST_PLANS:,}, not {question.most_plans:,}")
        if not question.goals:
            raise InvalidRequest("goals", "are missing: say what counts")
        self._judged: dict[str, tuple[dict[Rule, int], Figures | None]] = {}
        self._best: dict[tuple[int, ...], Found] = {}
        self._looked_around: set[Place] = set()
        self._places = 0
        self._fitting = 0
        self._broken = dict.fromkeys(Rule, 0)
        self._is_complete = False

    def steps(self) -> Work[Answer]:
        """The search, telling after each plan how many are tried; it can be left at any time.

        Raises:
            InvalidRequest: an amount under today's plan is too large.
        """
        most = self.question.most_plans
        if self.space.size <= most:
            for place in product(*(range(len(one.values)) for one in self.space.dimensions)):
                self._try(place)
                yield Progress(self._places, self.space.size)
            self._is_complete = True
            return self.answer()
        for plan in self._likely():
            yield self._try(self.space.nearest(plan))
        proposals, until = self._proposals(), div_floor(most * _PROPOSED_PER_HUNDRED, 100)
        while len(self._judged) < most:
            trials = self._places
            for place in proposals:
                yield self._try(place)
                if len(self._judged) >= until or self._places - trials >= most:
                    break
            yield from self._around_the_best()
            if self._places >= _TRIALS_PER_PLAN * most:
                break
            until = min(most, len(self._judged) + _POPULATION)
        return self.answer()

    def answer(self) -> Answer:
        """The best plans so far."""
        best = sorted(self._best.items(), key=lambda one: ([-number for number in one[0]], to_line(one[1].plan)))
        return Answer(
            question=self.question,
            today=self.assessor.figures_today,
            best=tuple(found for _, found in best),
            tried=len(self._judged),
            fitting=self._fitting,
            is_complete=self._is_complete,
            broken=tuple((rule, count) for rule, count in self._broken.items() if count),
        )

    def _try(self, place: Place) -> Progress:
        self._judge(place)
        self._places += 1
        return Progress(min(len(self._judged), self.question.most_plans), self.question.most_plans)

    def _likely(self) -> Iterator[PricePlan]:
        """Plans that are worth a try: today's, its fixes, and one percentage for all; with the other rules' fixes."""
        today, figures = self.assessor.today, self.assessor.figures_today
        inference = figures.users_paid_credits - figures.creators_received_credits - figures.platform_income_credits
        rates = {tier.markup_bps for tier in today.tiers if tier.markup_bps is not None}
        rates.add(div_floor(figures.platform_income_credits * BPS_PER_WHOLE, max(inference, 1)))
        plans = [today, *(cure.plan for cure in cures(today, ()))]
        plans += [replace(today, tiers=(MarkupTier(None, rate, None),)) for rate in sorted(rates)]
        for plan in plans:
            for is_markup, rounding in product((plan.minimum_platform_income_is_markup, True), Rounding):
                yield replace(plan, minimum_platform_income_is_markup=is_markup, markup_rounding=rounding)

    def _proposals(self) -> Iterator[Place]:
        """Places that Optuna proposes, one after another; each is judged before the next is asked for."""
        import optuna  # it takes half a second to load

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.NSGAIISampler(population_size=_POPULATION, seed=self.question.seed)
        goals = self.question.goals
        study = optuna.create_study(
            directions=["maximize" if goal.is_to_be_high else "minimize" for goal in goals], sampler=sampler
        )
        moving = [one for one in self.space.dimensions if len(one.values) > 1]
        for found in self.answer().best:
            named = zip(self.space.dimensions, found.place, strict=True)
            study.enqueue_trial({one.name: at for one, at in named if len(one.values) > 1})
        while True:
            trial = study.ask()
            chosen = {one.name: trial.suggest_int(one.name, 0, len(one.values) - 1) for one in moving}
            place = tuple(chosen.get(one.name, 0) for one in self.space.dimensions)
            yield place
            broken, figures = self._judge(place)
            for rule in Rule:
                # Amounts of credits and of users, made comparable: how many binary digits they have.
                trial.set_constraint(rule, broken.get(rule, 0).bit_length())
            study.tell(trial, [figures.measure(goal) if figures else 0 for goal in goals])

    def _around_the_best(self) -> Iterator[Progress]:
        """Tries the steps around the best plans, and around those that are found by it, until none is left."""
        while len(self._judged) < self.question.most_plans:
            here = [found.place for found in self.answer().best if found.place not in self._looked_around]
            if not here:
                return
            self._looked_around.add(here[0])
            for place in self.space.neighbours(here[0]):
                if to_line(self.space.plan(place)) not in self._judged:
                    yield self._try(place)
                if len(self._judged) >= self.question.most_plans:
                    return

    def _judge(self, place: Place) -> tuple[dict[Rule, int], Figures | None]:
        """Which rules the plan breaks, and what it comes to where it could be priced; kept among the best if it is."""
        plan = self.space.plan(place)
        line = to_line(plan)
        if line not in self._judged:
            self._judged[line] = judged = self._looked_at(plan, place)
            for rule in judged[0]:
                self._broken[rule] += 1
            self._fitting += not judged[0]
        return self._judged[line]

    def _looked_at(self, plan: PricePlan, place: Place) -> tuple[dict[Rule, int], Figures | None]:
        rules, today = self.question.rules, self.assessor.figures_today
        broken = rules.broken_by_shape(plan)
        if broken:
            return broken, None
        try:
            figures = self.assessor.figures(plan)
            broken = rules.broken_on_history(figures, today)
            if not broken and not figures.is_sure and self._is_best(self._numbers(figures)):
                figures = self.assessor.sure(plan)
                broken = rules.broken_on_history(figures, today)
        except InvalidRequest:  # an amount that no plan may charge
            return {Rule.INCREASE: 2**63}, None
        if not broken and figures.is_sure and not same_rules(plan, self.assessor.today):
            self._keep(Found(plan, figures, place))
        return broken, figures

    def _numbers(self, figures: Figures) -> tuple[int, ...]:
        return tuple(
            figures.measure(goal) if goal.is_to_be_high else -figures.measure(goal) for goal in self.question.goals
        )

    def _is_best(self, numbers: tuple[int, ...]) -> bool:
        return not any(_at_least(others, numbers) and others != numbers for others in self._best)

    def _keep(self, found: Found) -> None:
        numbers = self._numbers(found.figures)
        if not self._is_best(numbers):
            return
        same = self._best.get(numbers)
        if same is not None and _plainness(same.plan) <= _plainness(found.plan):
            return
        self._best = {others: one for others, one in self._best.items() if not _at_least(numbers, others)}
        self._best[numbers] = found


def with_ids(answer: Answer, today: PricePlan, stored: Mapping[str, PricePlan]) -> Answer:
    """The answer with an id for each plan, such as `promptflow-v1-found`; a plan that is stored keeps its own."""
    taken, best = set(stored), []
    for found in answer.best:
        same = next((plan.id for plan in stored.values() if same_rules(plan, found.plan)), None)
        named = replace(found.plan, id=same or free_id(today.id, "-found", taken))
        taken.add(named.id)
        best.append(replace(found, plan=named))
    return replace(answer, best=tuple(best))


def _at_least(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(left >= right for left, right in zip(one, other, strict=True))


def _plainness(plan: PricePlan) -> tuple[int, str]:
    return len(plan.tiers), to_line(plan)
