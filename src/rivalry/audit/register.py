"""What audits register: a command."""

COMMANDS = {"audit": "rivalry.audit.command:audit"}
