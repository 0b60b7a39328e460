"""What living figures register."""
