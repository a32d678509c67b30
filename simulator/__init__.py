"""The simulated outside of a toll lane: road, people, devices and platforms."""
