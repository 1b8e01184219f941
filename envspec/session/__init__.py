"""LIVE: one run of an environment, its order, states, registry and control socket."""
