"""BORROWED: what is claimed from the kernel and given back."""
