"""The files of a commit as the hub lists them."""

from __future__ import annotations

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile as Listed

from envspec.models.hub.attempts import GaveUpError
from envspec.models.hub.client import telling, token_of
from envspec.models.hub.listing import RepoFile
from envspec.models.hub.options import Hub
from envspec.models.hub.refusals import REFUSED, not_a_hub, refusal
from envspec.models.hub.settings import endpoint_of
from envspec.models.source import Host, Tell


def request_listing(options: Hub, commit: str, host: Host, tell: Tell) -> tuple[RepoFile, ...]:
    """Ask the hub for the files of a commit: one request for a thousand of them.

    Raises:
        ModelUnavailableError: it refuses, or gives no answer.
    """
    try:
        with telling("the list of files", tell) as headers:
            api = HfApi(endpoint=endpoint_of(host), token=token_of(options, host), headers=headers)
            entries = api.list_repo_tree(options.repo, recursive=True, revision=commit)
            return tuple(_of_hub(entry) for entry in entries if isinstance(entry, Listed))
    except (GaveUpError, *REFUSED) as error:
        raise refusal(error, options, host) from error
    except (ValueError, KeyError, TypeError) as error:
        raise not_a_hub(options, host) from error


def _of_hub(entry: Listed) -> RepoFile:
    if entry.lfs:
        return RepoFile(entry.path, entry.lfs.size, sha256=entry.lfs.sha256)
    return RepoFile(entry.path, entry.size, git_sha1=entry.blob_id)
