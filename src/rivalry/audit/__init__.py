"""Audits of pricing algorithms: what a bot charges, and how it answers a rival that cuts its price."""
