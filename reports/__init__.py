"""Records and replicates in; tables, plots and a page out."""
