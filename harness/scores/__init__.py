"""From evidence to numbers: reduction, replicates, slices, predictions made elsewhere."""
