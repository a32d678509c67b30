"""Device models behind their real wires."""
