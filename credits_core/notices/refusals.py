"""The refusals about what other systems are told."""

from credits_core.errors import CreditsError


class UnknownEndpoint(CreditsError):
    """No endpoint has this number, or it was removed."""

    code = "unknown_endpoint"
    http_status = 404

    def __init__(self, endpoint_id: object) -> None:
        self.endpoint_id = endpoint_id
        super().__init__(f"There is no endpoint {endpoint_id}. `webhooks list` and Webhooks show them.")


class UnknownDelivery(CreditsError):
    """No dead letter has this number."""

    code = "unknown_delivery"
    http_status = 404

    def __init__(self, delivery_id: object) -> None:
        self.delivery_id = delivery_id
        super().__init__(f"There is no dead letter {delivery_id}. It may have been sent again already.")


class TooManyEndpoints(CreditsError):
    """There are as many endpoints as there may be."""

    code = "too_many_endpoints"
    http_status = 409

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"There are {most} endpoints already. Remove one that is not needed first.")


class HostNotFound(CreditsError):
    """The host of an address has no IP address that anybody knows."""

    code = "host_not_found"
    http_status = 422

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"{host} was not found. Check the spelling.")
