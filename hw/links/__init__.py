"""Lines to devices: one owner each, reconnect, deadlines, health."""
