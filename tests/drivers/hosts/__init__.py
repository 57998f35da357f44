"""Tests of the driver of machines that exist already."""
