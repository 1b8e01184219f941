"""Which commit a branch is at: one request, or what was noted when there is no hub to ask."""

from __future__ import annotations

from urllib.parse import quote

from envspec.errors import ModelUnavailableError
from envspec.models.hub.cache import cached_commit, find, is_offline, located, remember_commit
from envspec.models.hub.options import COMMIT, Hub
from envspec.models.hub.run_commits import once, once_a_run
from envspec.models.hub.settings import check_settings, endpoint_of
from envspec.models.source import Found, Host, Retrying, Tell

_TRIES_WITH_CACHE = 3  # half a second or so: what is cached will do


def resolve(options: Hub, host: Host, tell: Tell) -> Found:
    """Return where the files of the revision are or will be; a revision that is a commit needs no request.

    Where the hub cannot be reached, the commit that the branch was last seen at will do, and `tell` hears of it.

    Raises:
        UsageError: a variable that chooses hub or token is wrong.
        ModelUnavailableError: the hub refuses, or cannot be asked and the branch was never fetched here.
    """
    if options.is_pinned:
        return find(options, host)
    if is_offline(host):
        found = find(options, host)
        if found.commit:
            return found
        raise ModelUnavailableError(
            f"{options.repo} ({options.revision}) is not in the cache, and HF_HUB_OFFLINE forbids to download it",
            hint=f"unset HF_HUB_OFFLINE once to fetch it; the cache is {host.hub_cache}",
        )
    check_settings(options, host)
    commit = once(options, host, lambda: once_a_run(options, host, lambda: _ask_or_recall(options, host, tell)))
    found = located(options, commit, host)
    if found.complete:
        remember_commit(options, commit, host)
    return found


def _ask_or_recall(options: Hub, host: Host, tell: Tell) -> str:
    from envspec.models.hub.attempts import TRIES, GaveUpError

    known = cached_commit(options, host)
    try:
        return _ask(options, host, tell, _TRIES_WITH_CACHE if known else TRIES)
    except ModelUnavailableError as error:
        if not known or not isinstance(error.__cause__, GaveUpError):
            raise
        why = f"{error.__cause__}; {options.revision} is taken to be at {known[:12]}, where it was last seen"
        tell(Retrying(why, 0.0, _TRIES_WITH_CACHE))
        return known


def current_commit(options: Hub, host: Host, tell: Tell) -> str:
    """Return the commit that the hub itself says a branch is at now.

    Raises:
        UsageError: a variable that chooses hub or token is wrong.
        ModelUnavailableError: it cannot be asked, or refuses; what was seen before does not count.
    """
    if is_offline(host):
        raise ModelUnavailableError(
            f"which commit {options.repo} ({options.revision}) is at cannot be asked: HF_HUB_OFFLINE forbids it",
            hint="unset HF_HUB_OFFLINE for this command",
        )
    check_settings(options, host)
    from envspec.models.hub.attempts import TRIES

    return once(options, host, lambda: _ask(options, host, tell, TRIES), what="now")


def _ask(options: Hub, host: Host, tell: Tell, tries: int) -> str:
    # Imported here: whoever has everything cached and pinned need not wait for it.
    from envspec.models.hub.attempts import GaveUpError
    from envspec.models.hub.client import get, telling, token_of
    from envspec.models.hub.refusals import REFUSED, not_a_hub, refusal

    url = f"{endpoint_of(host)}/api/models/{options.repo}/revision/{quote(options.revision, safe='')}"
    try:
        with telling("the revision", tell, tries) as headers:
            answer = get(url, token_of(options, host), headers)
        commit = str(answer.json()["sha"])
    except (GaveUpError, *REFUSED) as error:
        raise refusal(error, options, host) from error
    except (ValueError, KeyError, TypeError) as error:
        raise not_a_hub(options, host) from error
    if not COMMIT.fullmatch(commit):
        raise not_a_hub(options, host)
    return commit
