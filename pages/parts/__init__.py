"""Parts that at least three areas share: the engine, actions, choices, words, tables and charts."""
