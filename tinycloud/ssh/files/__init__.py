"""Files to and from nodes.

Only `progress`, `shipment`, `target` and `tree` can be imported without loading asyncssh.
"""
