"""Registrations of audits: a command and a study."""

COMMANDS = {"audit": "rivalry.audit.command:audit"}
STUDIES = {"audit_panel": "rivalry.audit:audit_panel"}
