"""WRITTEN: the file format, with positions."""
