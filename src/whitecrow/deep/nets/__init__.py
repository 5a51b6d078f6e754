"""Networks and blocks with at least two users."""
