"""Getting a model from the hub: by one process while others wait, verified, and noted in a manifest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from envspec.errors import ModelUnavailableError
from envspec.models.hub.cache import (
    is_offline,
    located,
    lock_folders,
    lock_name,
    remember_commit,
    repo_folder,
    snapshot_of,
    verified_listing,
    write_manifest,
)
from envspec.models.hub.listing import RepoFile, cached_listing, listing_of_blobs
from envspec.models.hub.options import Hub
from envspec.models.hub.progress import ModelProgress
from envspec.models.hub.resolve import resolve
from envspec.models.hub.room import room_for
from envspec.models.hub.selection import selected
from envspec.models.hub.settings import check_settings
from envspec.models.hub.verify import MISSING, fault_of
from envspec.models.inventory import is_pointer, missing_files
from envspec.models.lock import only_one
from envspec.models.source import Found, Host, Tell


def download(options: Hub, found: Found, host: Host, tell: Tell) -> Found:
    """Get what is missing of a resolved model and verify all of it; 0 requests if the cache has it, and offline.

    Raises:
        UsageError: a variable that chooses hub or token is wrong.
        ModelUnavailableError: it cannot be had.
    """
    commit = found.commit or resolve(options, host, tell).commit
    if not located(options, commit, host).complete:
        with only_one(_locks(options, commit, host), tell, host.environ.get("ENVSPEC_SESSION", "")):
            if not located(options, commit, host).complete:  # whom we waited for may have got it
                files = _verify_cached(options, commit, host, tell) or _fetch(options, commit, host, tell)
                _refuse_pointers(options, commit, snapshot_of(options, commit, host), files)
                write_manifest(options, commit, host, files)
    remember_commit(options, commit, host)
    return located_as_verified(options, commit, host)


def located_as_verified(options: Hub, commit: str, host: Host) -> Found:
    """Return a model whose files have just been seen, also where no manifest of them can be written."""
    return Found(str(snapshot_of(options, commit, host)), commit, complete=True)


def _locks(options: Hub, commit: str, host: Host) -> list[Path]:
    return [folder / lock_name(options.repo, commit) for folder in lock_folders(host)]


def _verify_cached(options: Hub, commit: str, host: Host, tell: Tell) -> list[RepoFile] | None:
    """Return the files if the cache has all of them and none is wrong, None if it takes a hub to say or mend that.

    Raises:
        ModelUnavailableError: it takes a hub, and none may be asked.
    """
    folder = snapshot_of(options, commit, host)
    listing = cached_listing(repo_folder(options, host), commit) or verified_listing(options, commit, host)
    if listing is None and is_offline(host):
        listing = _listing_without_hub(options, folder)
    if listing is None:
        return None
    files = asked_for(options, listing)
    if not is_offline(host) and not all((folder / file.path).is_file() for file in files):
        return None
    progress = ModelProgress(sum(file.size for file in files), tell)

    def verify(file: RepoFile) -> str:
        fault = fault_of(folder / file.path, file)
        progress.add(0 if fault else file.size, downloaded=False)
        return fault

    with ThreadPoolExecutor(4) as pool:
        faults = pool.map(verify, files)
        wrong = [f"{file.path} {fault}" for file, fault in zip(files, faults, strict=True) if fault]
    if wrong and is_offline(host):
        raise _not_here(options, commit, wrong)
    return None if wrong else files


def _listing_without_hub(options: Hub, folder: Path) -> tuple[RepoFile, ...]:
    listing = listing_of_blobs(folder) if folder.is_dir() else ()
    missing = missing_files(folder, weights=not options.tokenizer_only) if not options.include else []
    return (*listing, *(RepoFile(name, 0) for name in missing))


def _fetch(options: Hub, commit: str, host: Host, tell: Tell) -> list[RepoFile]:
    check_settings(options, host)
    # Imported here, as it takes a third of a second: whoever has all files need not wait for it.
    from envspec.models.hub.claims import claim
    from envspec.models.hub.leftovers import remove_leftovers
    from envspec.models.hub.listing_request import request_listing
    from envspec.models.hub.refusals import unwritable
    from envspec.models.hub.transfer import Transfer

    repo = repo_folder(options, host)
    try:
        host.hub_cache.mkdir(parents=True, exist_ok=True)  # before anything is asked for that could not be kept
        remove_leftovers(repo)
    except OSError as error:
        raise unwritable(error, options, host) from error
    files = asked_for(options, cached_listing(repo, commit) or request_listing(options, commit, host, tell))
    needed = _missing_bytes(options, commit, host, files)
    progress = ModelProgress(sum(file.size for file in files), tell)
    with room_for(needed, repo, options.repo, lambda: max(0, needed - progress.downloaded)):
        claim(options, commit, host, files)
        Transfer(options, commit, host, tell, progress).run(files)
    return files


def asked_for(options: Hub, listing: tuple[RepoFile, ...]) -> list[RepoFile]:
    """Return the files that the options select.

    Raises:
        ModelUnavailableError: that is none.
    """
    by_path = {file.path: file for file in listing}
    files = [by_path[path] for path in selected(by_path, options)]
    if files:
        return files
    names = ", ".join(sorted(by_path)[:5]) or "no files at all"
    asked = [key for key in ("include", "exclude", "tokenizer_only") if getattr(options, key)]
    left = f"no file that {' and '.join(asked)} {'leave' if len(asked) > 1 else 'leaves'}" if asked else "no files"
    raise ModelUnavailableError(f"{options.repo} has {left}", hint=f"it has, for example: {names}")


def _refuse_pointers(options: Hub, commit: str, folder: Path, files: list[RepoFile]) -> None:
    """Refuse a repository into which somebody uploaded what stands for weights instead of the weights."""
    pointing = [file.path for file in files if is_pointer(folder / file.path)]
    if pointing:
        more = f" and {len(pointing) - 3} more" if len(pointing) > 3 else ""
        raise ModelUnavailableError(
            f"{options.repo} at {commit[:12]} has no more than a pointer of Git LFS as {', '.join(pointing[:3])}{more}",
            hint="whoever uploaded it has to `git lfs pull` and upload the files themselves; "
            "choose another revision, or `exclude` them",
        )


def _missing_bytes(options: Hub, commit: str, host: Host, files: list[RepoFile]) -> int:
    folder, blobs = snapshot_of(options, commit, host), repo_folder(options, host) / "blobs"
    missing = [file for file in files if not (folder / file.path).exists()]
    return sum(file.size for file in missing if not (file.blob and (blobs / file.blob).exists()))


def _not_here(options: Hub, commit: str, wrong: list[str]) -> ModelUnavailableError:
    absent = all(fault.endswith(MISSING) for fault in wrong)
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return ModelUnavailableError(
        f"{options.repo} at {commit[:12]} is not {'all' if absent else 'as it should be'} in the cache "
        f"({', '.join(wrong[:3])}{more}), and HF_HUB_OFFLINE forbids to download it",
        hint="unset HF_HUB_OFFLINE once, so that what is missing can be fetched",
    )
