"""What would happen under another plan, fee or market. Pure."""
