"""Nodes on this very machine: real SSH servers, one process each."""

from .driver import Local

__all__ = ["Local"]
