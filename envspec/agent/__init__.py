"""ON A NODE: the process that owns a node's services, and its guardian."""
