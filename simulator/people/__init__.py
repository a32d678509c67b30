"""The room simulator.people."""
