"""A world for the `aws` driver: an EC2 of others, our proxy before it, machines behind it."""
