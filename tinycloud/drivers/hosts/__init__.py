"""Machines that exist already: they are used, and never made, stopped or destroyed."""

from .driver import Hosts

__all__ = ["Hosts"]
