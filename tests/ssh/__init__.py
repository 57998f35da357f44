"""The SSH client and the server, each against OpenSSH's own and against each other."""
