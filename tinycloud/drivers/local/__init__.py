"""Nodes on this very machine: real SSH servers, one process each."""
