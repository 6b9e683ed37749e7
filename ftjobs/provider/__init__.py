"""The service that trains: the only place that talks to it."""
