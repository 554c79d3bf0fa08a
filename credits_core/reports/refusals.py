"""The refusals about saved views."""

from credits_core.errors import CreditsError


class ViewNameTaken(CreditsError):
    """The screen has a saved view with this name, in whatever upper and lower case."""

    code = "view_name_taken"
    http_status = 409

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is already a view named {name!r}. Choose another name, or rename that one first.")


class UnknownView(CreditsError):
    """The saved view is not there any more."""

    code = "unknown_view"
    http_status = 404

    def __init__(self) -> None:
        super().__init__("Somebody else has deleted this view.")
