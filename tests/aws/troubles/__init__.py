"""What can go wrong with EC2: one trouble each, to be had on wish."""
