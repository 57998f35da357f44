"""SSH: connections whose hosts proved who they are, and what is done over them.

`connect` and all that it imports load asyncssh, which takes 0.3 s; `connections` does
so with the first connection.
"""
