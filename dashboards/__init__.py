"""Web pages for staff and for the test bench."""
