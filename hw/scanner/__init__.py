"""Code scanners on a line."""
