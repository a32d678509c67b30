"""What the lane decides: pure machines, events in, commands out."""
