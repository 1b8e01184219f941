"""WEIGHTS: where a model's files come from."""
