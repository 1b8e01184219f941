"""From a spec and bindings to a plan. Pure."""
