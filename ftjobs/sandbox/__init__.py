"""A loopback service with the same API, for practice and for tests."""
