"""Task networks of our own."""
