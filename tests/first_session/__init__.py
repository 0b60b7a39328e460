"""What a newcomer types on the first day, replayed: see ``python -m tests.first_session --help``."""
