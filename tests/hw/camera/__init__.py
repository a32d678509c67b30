"""Tests of the lane's devices."""
