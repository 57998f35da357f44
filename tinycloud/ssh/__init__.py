"""SSH: connections whose hosts proved who they are, and what is done over them.

Only the modules `connections`, `connection` and `terminal`, `bastion` and `known_hosts`
can be imported without loading asyncssh, which takes 0.3 s.
"""
