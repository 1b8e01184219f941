"""What an agent consists of once its owner has said hello. Imported only then, beside the owner's own start."""

from __future__ import annotations

from collections.abc import Mapping

from envspec.agent.calls import Node, Verb
from envspec.agent.checking import Checking
from envspec.agent.children import Children
from envspec.agent.family import Family
from envspec.agent.fetching import Fetching
from envspec.agent.holds import Holds
from envspec.agent.listen_gate import ListenGate
from envspec.agent.logs import Logs
from envspec.agent.probers import Probers
from envspec.agent.readiness import Readiness
from envspec.agent.record import Record
from envspec.agent.services import Services
from envspec.agent.starting import Starter
from envspec.agent.wiping import Wiping


def verbs(node: Node, record: Record, prober: Probers) -> Mapping[str, Verb]:
    """Return the table of verbs that serve this node."""
    family, holds, logs = Family(node.session), Holds(node.session, node.directory), Logs(node)
    readiness = Readiness(node, ListenGate(node.loop, family), prober)
    services = Services(node, family, record, Starter(node, logs, holds), readiness)
    children, wiping = Children(node, family), Wiping(node, services)
    checking, fetching = Checking(node, prober, readiness), Fetching(node)
    return {
        "renew": lambda call: call.reply(),
        "lease": holds.lease,
        "listeners": holds.listeners,
        "find": fetching.find,
        "fetch": fetching.fetch,
        "warm": fetching.warm,
        "end_fetches": fetching.end_fetches,
        "start": services.start,
        "stop": services.stop,
        "signal": services.signal,
        "children": children.children,
        "signal_child": children.signal_child,
        "wipe": wiping.wipe,
        "check": checking.check,
        "cancel": checking.cancel,
        "answers": readiness.answers,
        "watch": readiness.watch,
        "unwatch": readiness.unwatch,
        "log": logs.log,
        "log_at": logs.log_at,
    }
