"""What was promised of the fan-out, as a user sees it, against Debian's sshd as it is shipped."""
