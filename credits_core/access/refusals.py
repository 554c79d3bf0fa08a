"""The refusals about API keys, people and their sign-ins."""

from credits_core.errors import CreditsError


class Unauthorized(CreditsError):
    """The request has no key, or one that is unknown, expired or revoked."""

    code = "unauthorized"
    http_status = 401

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}. Send a valid key as: Authorization: Bearer pfk_…")


class KeyNameTaken(CreditsError):
    """There is an API key with this name, and it was not revoked. An expired key keeps its name."""

    code = "key_name_taken"
    http_status = 409

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"A key named {name!r} already exists. Choose another name, or revoke that key first.")


class UnknownKey(CreditsError):
    """There is no API key with this name, or it was revoked before."""

    code = "unknown_key"
    http_status = 404

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is no key named {name!r}, or it is already revoked. "
            "List the keys with: python -m credits_core api-key list"
        )


class UnknownProposal(CreditsError):
    """No proposal has this number."""

    code = "unknown_proposal"
    http_status = 404

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"There is no proposal {number}.")


class UnknownProposalKind(CreditsError):
    """A kept proposal is of a kind that this version does not know, so nobody can decide it here."""

    code = "unknown_proposal_kind"
    http_status = 409

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"This version knows no proposal of the kind {kind!r}. Nothing was changed.")


class ProposalClosed(CreditsError):
    """The proposal was decided before, was withdrawn, or has expired."""

    code = "proposal_closed"
    http_status = 409

    def __init__(self, number: int, state: str) -> None:
        self.number = number
        self.state = state
        super().__init__(f"Proposal {number} is {state}, so it can no longer be decided. Nothing was changed.")


class OwnProposal(CreditsError):
    """Whoever proposed a change cannot approve it."""

    code = "own_proposal"
    http_status = 403

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"You made proposal {number} yourself. Another person must approve it; nothing was changed.")


class AlreadyProposed(CreditsError):
    """The very same change is proposed already and waits for a decision."""

    code = "already_proposed"
    http_status = 409

    def __init__(self, number: int, proposed_by: str) -> None:
        self.number = number
        self.proposed_by = proposed_by
        super().__init__(f"{proposed_by} has proposed the same: see proposal {number}. Nothing was proposed twice.")


class PersonKnown(CreditsError):
    """The person may sign in already."""

    code = "person_known"
    http_status = 409

    def __init__(self, email: str) -> None:
        self.email = email
        super().__init__(f"{email} may sign in already. Change the roles instead.")


class UnknownPerson(CreditsError):
    """Nobody with this address has a role, or the person was removed before."""

    code = "unknown_person"
    http_status = 404

    def __init__(self, email: str) -> None:
        self.email = email
        super().__init__(
            f"Nobody has a role as {email}, so nothing was changed. Check the address; the list of people has them all."
        )


class LastAdmin(CreditsError):
    """The only admin would be removed or lose the role, and nobody could manage people any more."""

    code = "last_admin"
    http_status = 409

    def __init__(self, email: str) -> None:
        self.email = email
        super().__init__(f"{email} is the only admin, so nothing was changed. Make somebody else an admin first.")


class NotSignedIn(CreditsError):
    """What the provider said of a sign-in does not do: the reason is a sentence for the person."""

    code = "not_signed_in"
    http_status = 401


class NotGuarded(CreditsError):
    """The dashboard would be open to other machines, and nobody would have to sign in. It does not start."""

    code = "not_guarded"
    http_status = 500

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(
            f"The dashboard would be open to everybody who reaches {address}, so it does not start. Set "
            "CREDITS_SIGN_IN=oidc (docs/sign-in.md), or STREAMLIT_SERVER_ADDRESS=127.0.0.1 for this machine alone, or "
            "CREDITS_SIGN_IN=none-at-my-own-risk for a network where everybody may do everything."
        )
