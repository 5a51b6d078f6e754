"""What takes a detector: rules over one, several of one, one of another package."""
