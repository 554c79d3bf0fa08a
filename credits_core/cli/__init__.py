"""The command line, `python -m credits_core …`: parse, call one action, print."""
