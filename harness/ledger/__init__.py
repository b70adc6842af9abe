"""What is kept: rows, images, predictions, leases."""
