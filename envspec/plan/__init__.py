"""RESOLVED: what will run, as plain frozen data. Pure: no sockets, no processes, no clock."""
