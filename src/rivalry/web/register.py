"""Registration of the workbench: a command."""

COMMANDS = {"open": "rivalry.web.command:open_"}
