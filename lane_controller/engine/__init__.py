"""What the lane promises: journal first, then release; inputs in, effects out."""
