"""A counterfactual replay in the plainest way, to compare with: entry by entry, with dictionaries."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

from credits_core.pricing.plan import PricePlan
from tests.support import plans
from tests.support.plain_sql import rows


class SlowReplay:
    """The same counterfactual as a loop over the ledger's entries with dictionaries, and prices by `tests.plans`."""

    def __init__(self, engine: Engine, plan: PricePlan, days: tuple[str, str], *, largest_cost: int = 4_000) -> None:
        day = "date(created_at_us / 1000000, 'unixepoch')"
        self.plan, self.totals = plan, plans.totals_up_to(plan, largest_cost)
        self.balances: dict[str, int] = defaultdict(int)
        self.owed: dict[str, int] = defaultdict(int)
        self.paid: dict[int, tuple[str, str | None, int, int, int]] = {}  # payer, creator, total, share, cost
        self.sums: dict[str, int] = defaultdict(int)
        self.by: dict[tuple[str, str], int] = defaultdict(int)
        self.refused: list[int] = []
        self.changes: list[int] = []
        self.kept = 0
        entries: list[Any] = rows(
            engine,
            f"SELECT id, type, refunds_entry_id, {day} BETWEEN :a AND :b FROM journal_entries ORDER BY id",
            a=days[0],
            b=days[1],
        )
        self.runs: dict[Any, Any] = {
            row[0]: row[1:]
            for row in rows(
                engine,
                "SELECT entry_id, user_id, creator_id, inference_cost_credits, creator_fee_credits, total_credits,"
                " creator_share_credits, 1 FROM prompt_runs UNION ALL SELECT entry_id, user_id, creator_id, 0,"
                " unlock_fee_credits, unlock_fee_credits, creator_share_credits, 0 FROM unlocked_flows",
            )
        }
        moved: dict[Any, list[Any]] = defaultdict(list)
        for entry, account, credits in rows(
            engine, "SELECT entry_id, account_id, amount_credits FROM credit_transactions ORDER BY entry_id, position"
        ):
            moved[entry].append((account, credits))
        returning = {entry for (entry,) in rows(engine, "SELECT entry_id FROM refunds WHERE provider_refunded")}
        owing = {entry for (entry,) in rows(engine, "SELECT entry_id FROM refunds WHERE rule = 'creator_owes_share'")}
        inside = [entry for entry, *_, is_inside in entries if is_inside]
        for entry, kind, refunds, is_inside in entries:
            if not inside or entry < inside[0]:
                for account, credits in moved[entry]:
                    self.balances[account] += credits
                    self.owed[account.removesuffix(":debt")] -= credits if account.endswith(":debt") else 0
                if entry in self.runs:
                    payer, creator, cost, _, total, share, _ = self.runs[entry]
                    self.paid[entry] = payer, creator, total, share, cost
            elif entry > inside[-1]:
                break
            elif entry in self.runs:
                self.charge(entry, bool(is_inside))
            elif kind == "refund" and refunds in self.runs:
                self.refund(refunds, bool(is_inside), returns_cost=entry in returning, owes=entry in owing)
            else:
                account, credits = moved[entry][0]
                if self.balances[account] + credits < 0:
                    self.kept += 1
                else:
                    self.balances[account] += credits

    def charge(self, entry: int, is_inside: bool) -> None:
        payer, creator, cost, fee, total, share, is_run = self.runs[entry]
        recorded = total
        if is_inside:
            markup = self.totals[cost] - cost
            total = plans.with_fee(self.plan, cost, fee, markup)[0] if fee else cost + markup
            if not is_run:
                total = fee
            share = fee - (plans.with_fee(replace(self.plan, minimum_platform_income_credits=0), 0, fee, 0)[1])
        if self.balances[payer] < total:
            if is_inside:
                self.refused.append(entry)
            return
        self.paid[entry] = payer, creator, total, share, cost
        self.balances[payer] -= total
        if share:
            paid = min(self.owed[creator], share)
            self.owed[creator] -= paid
            self.balances[creator] += share - paid
        if is_inside:
            self.count(payer, creator, total, share, cost)
            if is_run:
                self.changes.append(total - recorded)

    def refund(self, entry: int, is_inside: bool, *, returns_cost: bool, owes: bool) -> None:
        if entry not in self.paid:
            return
        payer, creator, total, share, cost = self.paid[entry]
        self.balances[payer] += total
        back = min(share, self.balances[creator or ""])
        if share:
            self.balances[creator or ""] -= back
        if owes:
            self.owed[creator or ""] += share - back
            back = share
        if is_inside:
            self.count(payer, creator, -total, -back, -cost if returns_cost else 0)

    def count(self, payer: str, creator: str | None, total: int, share: int, cost: int) -> None:
        for name, credits in (("users", total), ("inference", cost), ("creators", share)):
            self.sums[name] += credits
        self.sums["platform"] += total - cost - share
        self.by["user", payer] += total
        self.by["creator", creator or ""] += share
