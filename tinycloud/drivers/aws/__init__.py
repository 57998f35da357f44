"""The driver of instances of Amazon EC2."""

from .driver import AWS

__all__ = ["AWS"]
