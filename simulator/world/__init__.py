"""The virtual world: production code on one heap of virtual time."""
