"""The plaza's promises: resolver schedule, leases, breakers, commits before calls."""
