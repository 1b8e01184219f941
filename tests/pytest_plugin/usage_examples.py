"""The usage examples of an older suite, to the letter, and the models that they name, on a hub of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envspec.models.synthetic import Synthetic, make
from tests.models.hub_server import Hub, serving

SERVICE_PORTS = """
def test_example(service_ports):
    etcd_port = service_ports['etcd_client']
    nats_port = service_ports['nats_client']
    # Use ports in test...
"""

MODEL_PRELOADING = """
def test_with_model(model_loader):
    # Load model (uses cache if available)
    model = model_loader("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "vllm")
    
    # Pre-download only (for setup)
    model_loader("model-name", "vllm", preload_only=True)
"""  # noqa: W293  to the letter

DYNAMIC_PORTS = """
from tests.utils import find_free_port

def test_service():
    port = find_free_port()
    # Start service on dynamic port...
"""


@contextmanager
def hub_of_the_examples(root: Path) -> Iterator[str]:
    """Serve the models that the examples name, tiny and with random weights; gives the address."""
    for name in ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "model-name"):
        make(Synthetic(architecture="llama"), root / name)
    with serving(Hub(root)) as server:
        yield server.url
