"""Measures the lane against a floor: the same hops, bare, in the same run on the same machine."""
