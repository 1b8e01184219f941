"""WHERE: how agents get onto nodes. One file for each backend, one line in the table."""
