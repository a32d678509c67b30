"""Tests of all packages; the paths mirror them."""
