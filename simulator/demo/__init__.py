"""The demo: broker, plaza, lanes and pages as child processes."""
