"""BORROWED: what is claimed from the kernel and given back."""

from envspec.leases.free_port import find_free_port

__all__ = ["find_free_port"]
