"""Keys that people bring along from Docker Compose, and what envspec calls them."""

from __future__ import annotations

_NO_IMAGES = "envspec starts programs that are installed, not images: say which by 'command'"
_NO_MOUNTS = "a service sees the machine's own files: 'cwd' and 'files' say where it runs and what it finds there"
_NO_NETWORKS = "services reach one another by 'ports', as {{ services.NAME.addresses.PORT }}"

FOREIGN = {
    "build": _NO_IMAGES,
    "container_name": "a service is called by its key under 'services'",
    "deploy": "for several of one service there is 'replicas'",
    "entrypoint": "envspec calls it 'command', which is followed by 'args'",
    "environment": "envspec calls it 'env'",
    "expose": "envspec calls it 'ports'",
    "healthcheck": "envspec calls it 'health', a list of validators",
    "image": _NO_IMAGES,
    "networks": _NO_NETWORKS,
    "stop_grace_period": "envspec calls it 'stop': {timeout: 10s}",
    "stop_signal": "envspec calls it 'stop': {signal: TERM}",
    "user": "a service runs as the user who starts it",
    "volumes": _NO_MOUNTS,
    "working_dir": "envspec calls it 'cwd'",
}
"""Of a service, by its name there: the hint."""
