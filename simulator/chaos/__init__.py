"""Chaos on real processes: a plaza under traffic that is killed, frozen, cut off and filled up, and
is judged at the end by the same auditor as the virtual world."""
