"""SPEC + BINDINGS → PLAN. Pure: what was leased comes in as plain values, and a plan goes out."""

from __future__ import annotations

from envspec.resolve.bindings import outline, port_requests, stand_in
from envspec.resolve.environ import search_path
from envspec.resolve.resolver import check, resolve

__all__ = ["check", "outline", "port_requests", "resolve", "search_path", "stand_in"]
