"""Tests of files to and from nodes."""
