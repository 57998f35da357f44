"""Tests of the local driver, and of its nodes with the real OpenSSH client."""
