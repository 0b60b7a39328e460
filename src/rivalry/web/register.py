"""What the workbench registers."""
