"""`python -m credits_core`."""

from credits_core.cli import main

main()
