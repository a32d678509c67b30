"""ETC readers at the window."""
