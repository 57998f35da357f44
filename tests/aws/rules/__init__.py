"""What EC2 does and the server behind does not: one rule each."""
