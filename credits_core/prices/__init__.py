"""Model prices: taken from the genai-prices package, with our dated corrections on top, and kept as price lists."""
