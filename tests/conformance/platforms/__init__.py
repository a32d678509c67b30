"""Every platform codec before the simulator's model of its platform."""
