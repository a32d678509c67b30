"""The simulated outside in real time, as one process with a control API."""
