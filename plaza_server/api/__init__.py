"""The plaza's HTTP API, one file per resource."""
