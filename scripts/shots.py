"""The pictures of the guide as data: where each begins, what is done, and what of the screen it shows.

Those that write to the ledger come last: a new run changes which month is the last one.
"""

from dataclasses import dataclass

from scripts.browser import TABLE, Step, button, click, fill, go, row, search, see, upload

HEAD = ".st-key-head"
DIALOG = "[role=dialog]"
EXPANDER = "[data-testid=stExpander]"
FOUND = ".st-key-found"
MAIN = "[data-testid=stMainBlockContainer] > [data-testid=stVerticalBlock]"
METRIC = f"{MAIN} [data-testid=stMetric]"
LIVE = "a=promptflow-v1&b=promptflow-v1"
CAPPED = "plan=promptflow-v1&edit=8000%3Bcap%3B10000%3A2000bps%3B100000%3A1000bps%3B500"
DAYS = "days=2026-10-24&days=2026-11-22"
BENCH = "user=ada&prompt=meeting-minutes&model=openai/gpt-4o&input_tokens=1020&output_tokens=129"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: as wide as `column`, from the top of `first` to the bottom of `last`, at most `most` pixels high.

    All three are selectors.
    """

    name: str
    path: str
    steps: tuple[Step, ...] = ()
    last: str = MAIN
    first: str = HEAD
    column: str = MAIN
    most: int = 900


def dialog(name: str, path: str, *steps: Step, most: int = 900) -> Shot:
    """A picture of the dialog that the steps open."""
    return Shot(name, path, (*steps, see(DIALOG)), DIALOG, first=DIALOG, column=DIALOG, most=most)


TWELVE_PER_CENT = (fill("Tier 2: markup", "12 %"), see("text=/Users pay .* more/"))
SHOTS = (
    Shot("overview", f"/?{DAYS}", last=".st-key-where-credits-went"),
    Shot("who-loses", f"/compare-plans?{LIVE}", TWELVE_PER_CENT, last=TABLE, most=700),
    dialog("charges-of-one", f"/compare-plans?{LIVE}", *TWELVE_PER_CENT, row(1), most=402),
    Shot(
        "find-a-plan",
        "/find-a-plan",
        (click(button("Find plans")), see("text=/hold the rules/")),
        last=TABLE,
    ),
    Shot("cliff", "/pricing-lab", last=".st-key-plan-shape"),
    Shot("cures", "/pricing-lab", first="text=Fix it", last=button("Save as draft")),
    Shot("scenario", f"/scenario?{CAPPED}&scenario_runs=1000000", last=f"{METRIC} >> nth=7"),
    Shot("replay", f"/replay-history?{CAPPED}", last="role=tablist"),
    Shot("fee", "/fee-designer?fee=5000", last="text=earns the creator more than an unlock"),
    Shot("explain", "/explain-charge?entry=140", last=f"{MAIN} table"),
    Shot("entry", "/history?entry=140", last=button("Refund this entry")),
    dialog("refund", "/history?entry=140", click(button("Refund this entry"))),
    Shot("creators", f"/creator-earnings?{DAYS}", last=TABLE, most=570),
    Shot("webhooks", "/webhooks", last=button("Add endpoint")),
    Shot("payouts", "/payouts?view=Preview", last=TABLE, most=880),
    Shot("one-user", "/balances?user=noor", last=".st-key-balance-over-time"),
    Shot(
        "find-anything",
        "/",
        (search("noor"), see(f"{FOUND} >> role=link[name=/noor/]")),
        first=FOUND,
        last=METRIC,
    ),
    Shot("add-credits", "/add-credits?user=noor&amount=5000000", last=f"{MAIN} >> {button('Add credits')}"),
    Shot(
        "model",
        "/models?search=claude-3-haiku&scope=All&model=anthropic/claude-3-haiku",
        last=button("Offer model"),
    ),
    Shot("price-lists", "/models", (click("text=Price lists"),), first=EXPANDER, last=EXPANDER),
    Shot("batch", f"/simulate-runs?{BENCH}&runs=1000", last=button("Run 1,000 times")),
    Shot(
        "saved-draft",
        "/pricing-lab",
        (click(button("Save as draft")), see("text=Saved the draft")),
        last=f"{MAIN} >> role=heading[level=2]",
    ),
    dialog(
        "make-live",
        "/pricing-lab?plan=promptflow-v1-capped",
        click(button("Make live")),
        fill("Reason", "Fixes both cliffs"),
    ),
    Shot(
        "receipt",
        f"/test-credits?{BENCH}",
        (click(button("Run")), see("text=noor earned")),
        last=button("Run"),
        most=670,
    ),
    Shot(
        "batch-refunded",
        f"/simulate-runs?{BENCH}&runs=1000",
        (
            click(button("Run 1,000 times")),
            click(button("Run it")),
            see("text=Charged 1,000 of 1,000 runs"),
            click(button("Refund this batch")),
            see("text=Refunded 1,000 of 1,000"),
        ),
        first="role=heading[name=Summary]",
        last='[data-testid=stAlert]:has-text("Refunded 1,000")',
    ),
    Shot(
        "api",
        "/api-console?example=Charge",
        (click(button("Make a key for today")), click(button("Send")), see("text=201 Created")),
        most=700,
    ),
    Shot("packs", "/buy-credits?user=noor", last=button("Buy Studio")),
    Shot(
        "payday", "/creator-earnings?creator=milo", first="role=heading[name='Payouts']", last="text=What would I get?"
    ),
    Shot(
        "dispute",
        "/buy-credits?user=noor",
        (
            click(button("Buy Starter")),
            click(button("Open the checkout")),
            click(button("Pay $5.00")),
            see("text=/Paid, with receipt/"),
            go("/payments"),
            click(button("Dispute the payment")),
            see("text=is disputed"),
        ),
        last=".st-key-who_bears",
    ),
    Shot(
        "reconciliation",
        "/buy-credits?user=ada",
        (
            click(button("Buy Starter")),
            click(button("Open the checkout")),
            click(button("Event is lost")),
            see("text=Waiting for the gateway"),
            click("role=link[name=/Find it in Reconciliation/]"),
            see("text=The gateway's books differ from ours"),
        ),
        last=TABLE,
        most=900,
    ),
    Shot("margin", "/margin", last="[data-testid=stPlotlyChart]", most=1_000),
    Shot(
        "usage-data",
        "/usage-data",
        (upload("spend-logs.jsonl"), see(button("Bring in 2,009 rows"))),
        last=button("Bring in 2,009 rows"),
    ),
    Shot(
        "data-set",
        "/usage-data",
        (
            upload("spend-logs.jsonl"),
            click(button("Bring in 2,009 rows")),
            see("role=heading[name='Refused rows']"),
        ),
        first="role=heading[name='spend-logs']",
        last="role=heading[name='Refused rows']",
    ),
    Shot("activity", "/activity"),
    Shot(
        "operations",
        "/operations",
        (
            click(button("Create backup")),
            see("text=Backup ended well"),
            click(button("Try the newest")),
            see("text=Drill ended well"),
        ),
        most=900,
    ),
    Shot("proof", "/proof", (click(button("Check now")), see("text=checks passed")), last=TABLE, most=760),
)
