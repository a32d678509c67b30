"""The room simulator.plant."""
