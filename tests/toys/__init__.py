"""One small thing for each room, as a stranger would write it; added in tests, never shipped."""
