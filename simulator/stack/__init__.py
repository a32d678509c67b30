"""A whole plaza of real processes on loopback, with lines that can be cut, hung and slowed."""
