"""Units and how they are checked and written: credits, dollars, ids, days, arrays, roles. Pure."""
