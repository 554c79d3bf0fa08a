"""What is told to the outside: messages to the addresses that are set."""
