"""One synchronous model per device and platform, without a wire."""
