"""A whole toll lane of real processes on loopback, for tests that kill and disturb it."""
