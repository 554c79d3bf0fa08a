"""Answers what would happen under another plan, fee or market. Pure."""
