"""Who a caller of the API is. Pure."""

from enum import StrEnum


class Role(StrEnum):
    """What an API key may do: everything, charge and look on behalf of all users, or look at one user's own."""

    ADMIN = "admin"
    SERVICE = "service"
    USER = "user"
