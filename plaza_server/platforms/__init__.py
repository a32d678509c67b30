"""Payment platforms, one folder each: a pure codec and an asynchronous client."""
