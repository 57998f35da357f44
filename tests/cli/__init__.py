"""The command line, as those who type it see it."""
