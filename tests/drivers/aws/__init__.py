"""The plain rooms of the aws driver: what needs no EC2."""
