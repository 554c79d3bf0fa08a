"""Acting: adding credits and running prompts."""
