"""HEALTHY? One frozen dataclass with its `probe` for each validator, in one file."""
