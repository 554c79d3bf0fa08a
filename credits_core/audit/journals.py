"""What the journals of live plans and of live price lists have in common: nothing is missing at their end.

The seals of a journal tell of every change but one: without its newest lines the rest is sealed as before. So each plan
and each list keeps the number of its last line.
"""

from collections.abc import Iterator, Mapping
from typing import Any


def missing_at_the_end(noun: str, kept: Mapping[Any, int | None], journal: Mapping[Any, int]) -> Iterator[str]:
    """One sentence for each plan or list whose last activation, as it is `kept` with it, is not that of the journal.

    >>> list(missing_at_the_end("price list", {1: 1, 2: 2}, {1: 1}))
    ['the last activation of price list 2 is 2, but the journal has none']
    """
    for name, number in kept.items():
        found = journal.get(name)
        if number != found:
            yield f"the last activation of {noun} {name} is {number or 'none'}, but the journal has {found or 'none'}"
