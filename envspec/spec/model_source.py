"""Which source a model has, and what is said when it has none, two, or the keys of another."""

from __future__ import annotations

from envspec.models import SOURCES
from envspec.models.synthetic.options import misfits
from envspec.spec.base import is_extension
from envspec.spec.findings import Findings
from envspec.spec.layers import is_null
from envspec.spec.model_spec import ModelSpec, owners
from envspec.spec.nodes import MapNode, Node, Scalar

EXAMPLES = "repo: org/name, path: ./directory, or synthetic: {architecture: qwen3}"


def source_of(model: Scalar, node: MapNode, findings: Findings) -> str | None:
    """Return the key of the model's only source; None where that cannot be told or does not fit, which is noted."""
    written = [key for key, value in node.items if not is_null(value)]
    sources = [key for key in written if key.text in SOURCES]
    strangers = [key for key in written if key.text in owners() and key.text not in SOURCES]
    if len(sources) == 1:
        return sources[0].text if _fits(model, sources[0], strangers, findings) else None
    if sources:
        names = " and ".join(f"'{key.text}'" for key in sources)
        message = f"the model '{model.text}' has {len(sources)} sources: {names}"
        findings.add(sources[1].mark, "choose-one", message, "a model comes from one of them; remove the others")
    elif strangers:
        key, owner = strangers[0], owners()[strangers[0].text]
        message = f"'{key.text}' belongs to '{owner}', which '{model.text}' does not have"
        findings.add(key.mark, "missing-key", message, f"give it one source: {EXAMPLES}")
    elif all(key.text in ModelSpec.model_fields or is_extension(key.text) for key in written):
        # An unknown key was probably meant to be the source, and is told by itself.
        findings.add(node.mark, "missing-key", f"the model '{model.text}' has no source", f"give it one: {EXAMPLES}")
    return None


def _fits(model: Scalar, source: Scalar, strangers: list[Scalar], findings: Findings) -> bool:
    wrong = [key for key in strangers if owners()[key.text] != source.text]
    for key in wrong:
        message = f"'{key.text}' belongs to '{owners()[key.text]}', and '{model.text}' has the source '{source.text}'"
        findings.add(key.mark, "wrong-source", message, f"remove '{key.text}'")
    return not wrong


def note_misfits(synthetic: Node | None, findings: Findings) -> None:
    """Note which sizes of a synthetic model are wrong or do not fit one another, each at a key that is written."""
    if not isinstance(synthetic, MapNode):
        return
    said = {key.text: value.value if isinstance(value, Scalar) else None for key, value in synthetic.items}
    for misfit in misfits(said):
        written = next((value for name in misfit.keys if (value := synthetic.get(name)) is not None), synthetic)
        findings.add(written.mark, "wrong-value", misfit.message)
