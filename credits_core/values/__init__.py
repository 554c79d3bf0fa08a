"""Units and forms: credits, dollars, ids, days, arrays. Pure."""
