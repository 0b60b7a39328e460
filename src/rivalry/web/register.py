"""What the workbench registers: a command."""

COMMANDS = {"open": "rivalry.web.command:open_"}
