"""Real processes are killed at every step of a payment."""
