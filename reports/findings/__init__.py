"""What follows from results: differences and verdicts, orders, repeats, correlations, rates."""
