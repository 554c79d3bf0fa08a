"""What at least three areas share: the engine, one action, choices, words, tables and charts."""
