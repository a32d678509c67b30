"""WeChat Pay: pay code payments over API v3."""
