"""Fee displays and their voices."""
