"""What a caller can do about each refusal, in the words of the table in docs/api.md."""

WHAT_TO_DO = {
    "idempotency_key_required": "send the header `Idempotency-Key`",
    "unauthorized": "send a valid key as `Authorization: Bearer pfk_…`",
    "insufficient_credits": (
        "let the user buy the difference, send the same request again; if you are refunding added "
        "credits, first refund what they were spent on"
    ),
    "spending_limit_reached": (
        "wait until `resets_at`, or have the limit raised: `PUT /api/credits/limits` for a user, "
        "`python -m credits_core limits set` for a key"
    ),
    "forbidden": "use a key with a role that may do this",
    "not_found": "find the path at `/api/docs`",
    "unknown_user": "add credits, which creates the user",
    "unknown_hold": "take the `hold_id` that making the hold answered",
    "unknown_pack": "choose one of the `known_ids`",
    "unknown_purchase": "take the `purchase_id` that making the purchase answered",
    "refunded_by_gateway": "refund the purchase: its credits go back with its money",
    "not_paid_yet": "ask again when the purchase's `state` is `paid`",
    "event_differs": "only for Stripe: compare its books with the ledger",
    "event_not_signed": "only for Stripe: check the signing secret of the webhook, and the clock",
    "gateway_failed": "send the same request again, unless `may_again` is false: it finds the same purchase",
    "unknown_model": "choose one of `GET /api/models`",
    "unknown_entry": "take the `entry_id` of a write or of a transaction",
    "method_not_allowed": "use the method that the header `Allow` names",
    "price_changed": "show the new price, send the request again with it",
    "account_looks_alike": "use `known_user_id`; if it is somebody else, send `create_distinct: true`",
    "already_refunded": "nothing: the refund exists",
    "refund_exceeds_rest": "ask for at most `left_credits`, or leave the amount out to refund all that is left",
    "not_refundable": "nothing: a refund cannot be refunded; charge again",
    "hold_ended": "make a new hold; if it was captured, ask for its entry",
    "hold_too_small": (
        "capture it without a usage, which charges what it was made for; release one of an amount, and charge the run"
    ),
    "ambiguous_model": "send one of the `model_ids`",
    "body_too_large": "send only the documented fields; at most 64 KiB",
    "invalid_request": "correct the fields",
    "no_price": "choose another model",
    "unpriced_usage": "choose a model that has a price for the unit, or send the usage that the provider billed",
    "unpriced_service_tier": "send one of the `known_tiers`, or none",
    "unreadable_response": "send the whole response at its end, or a `usage`",
    "idempotency_key_reused": "send a new key for a new request",
    "balance_too_large": "use a smaller amount",
    "circulation_too_large": "use a smaller amount",
    "nothing_to_charge": "nothing: the run costs 0 credits, so let it go ahead without a charge",
    "rate_limited": "wait as long as the header `Retry-After` says, send the same request again",
    "internal_error": "send the same request again; if it stays, report the `request_id`",
    "database_not_ready": "the operator runs `python -m credits_core migrate`",
    "database_unavailable": "send the same request again in a moment",
    "deadline_passed": "send the same request again, with the same key",
    "too_many_waiting": "wait as long as the header `Retry-After` says, send the same request again",
}
