"""How a service runs: bus, HTTP, settings, databases, metrics, clock, logging. Knows no business rule."""
