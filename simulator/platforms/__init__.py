"""The platform models' faces on real HTTP, on loopback only."""
