"""Facts about models, as data."""
