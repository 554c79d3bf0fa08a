"""Who gains and who loses by a plan, with one sign for all: plus is better off, minus is worse off. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from credits_core.lab.replay.result import Counterfactual


class Role(StrEnum):
    """As what somebody gains or loses: a user by what is paid, a creator by what is received."""

    USER = "user"
    CREATOR = "creator"


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody gains (plus) or loses (minus) in credits. `refused` counts the charges that are refused."""

    name: str
    role: Role
    gain_credits: int
    refused: int


def standings(found: Counterfactual, most: int) -> tuple[Standing, ...]:
    """At most `most` winners and as many losers, from the largest gain to the largest loss.

    Users gain by what they pay less for the same charges, so a refused charge is neither; creators by what they receive
    more. Who is both stands there twice.
    """
    cheaper, dearer = found.by_user.ends("dearer credits", most)
    less, more = found.by_creator.ends("creators more", most)
    everybody = [
        *(Standing(one.name, Role.USER, one.user_gain_credits, one.refused) for one in (*cheaper, *dearer)),
        *(Standing(one.name, Role.CREATOR, one.creators.difference_credits, one.refused) for one in (*less, *more)),
    ]
    ranked = sorted(everybody, key=lambda one: (-one.gain_credits, one.name, one.role))
    winners = [one for one in ranked if one.gain_credits > 0]
    losers = sorted((one for one in ranked if one.gain_credits < 0), key=lambda one: (one.gain_credits, one.name))
    return (*winners[:most], *reversed(losers[:most]))
