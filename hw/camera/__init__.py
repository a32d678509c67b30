"""Plate cameras."""
