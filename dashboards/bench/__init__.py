"""Pages that drive the simulated outside."""
