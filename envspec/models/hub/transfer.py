"""Getting the files of a model, each until it is what the hub says that it is."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from huggingface_hub import hf_hub_download

from envspec.errors import ModelUnavailableError
from envspec.models.hub.attempts import GaveUpError
from envspec.models.hub.cache import repo_folder, snapshot_of
from envspec.models.hub.client import telling, token_of
from envspec.models.hub.leftovers import Own
from envspec.models.hub.listing import RepoFile
from envspec.models.hub.options import Hub
from envspec.models.hub.progress import FileProgress, ModelProgress, bar_of
from envspec.models.hub.refusals import REFUSED, refusal
from envspec.models.hub.settings import endpoint_of
from envspec.models.hub.verify import MISSING, fault_of
from envspec.models.source import Host, Retrying, Tell
from envspec.record import Record

_FILES = ThreadPoolExecutor(8, thread_name_prefix="hub-file")  # for all models of this process together
OWN = Own()
"""What this process has half downloaded."""
_DOWNLOADS = 3  # of a file that comes whole but wrong


class Transfer(Record):
    """The files of one commit on their way."""

    options: Hub
    commit: str
    host: Host
    tell: Tell
    progress: ModelProgress

    def run(self, files: list[RepoFile]) -> None:
        """Verify the files that are here and get the others, the largest first, eight at a time.

        Raises:
            ModelUnavailableError: one of them cannot be had; the others are given up.
        """
        with self.progress.under_way():
            self._run(sorted(files, key=lambda file: -file.size))

    def _run(self, files: list[RepoFile]) -> None:
        jobs: list[Future[None]] = [_FILES.submit(self._get, file) for file in files]
        try:
            for job in wait(jobs, return_when=FIRST_EXCEPTION).done:
                job.result()
        finally:
            self.progress.abandoned.set()  # which means nothing when all of them are done
            for job in jobs:
                job.cancel()
            wait(jobs)

    def _get(self, file: RepoFile) -> None:
        path, progress = snapshot_of(self.options, self.commit, self.host) / file.path, FileProgress(self.progress)
        try:
            fault = fault_of(path, file)
            for download in range(1, _DOWNLOADS + 1):
                if not fault:
                    break
                self._discard(path, file, fault, download)
                progress.settle(0)
                fault = self._download(file, progress) or fault_of(path, file)
            else:
                if fault:
                    self._remove(path, file)
                    raise self._wrong(file, fault)
        except (GaveUpError, *REFUSED) as error:
            raise refusal(error, self.options, self.host) from error
        progress.settle(file.size)

    def _download(self, file: RepoFile, progress: FileProgress) -> str:
        """Have huggingface_hub get a file. Returns what is wrong if it came with another size than announced."""
        try:
            with telling(file.path, self.tell, given_up=self.progress.abandoned) as headers:
                hf_hub_download(
                    self.options.repo,
                    file.path,
                    revision=self.commit,
                    cache_dir=self.host.hub_cache,
                    endpoint=endpoint_of(self.host),
                    token=token_of(self.options, self.host),
                    headers=headers,
                    tqdm_class=bar_of(progress),
                )
        except OSError as error:
            if type(error) is OSError and error.errno is None:  # its "consistency check"
                return "came with another size than the hub announces"
            raise
        return ""

    def _discard(self, path: Path, file: RepoFile, fault: str, download: int) -> None:
        if fault != MISSING:
            self._remove(path, file)
            self.tell(Retrying(f"{file.path} {fault}: it is downloaded again", 0.0, download))

    def _remove(self, path: Path, file: RepoFile) -> None:
        """Remove a file and the blob that it links to, also where the link was never made."""
        blobs = repo_folder(self.options, self.host) / "blobs"
        doomed = {blobs / file.blob} if file.blob else set()
        if path.is_symlink():
            doomed.add(path.parent / path.readlink())
        for each in (path, *doomed):
            each.unlink(missing_ok=True)

    def _wrong(self, file: RepoFile, fault: str) -> ModelUnavailableError:
        return ModelUnavailableError(
            f"{file.path} of {self.options.repo} came wrong {_DOWNLOADS} times from "
            f"{endpoint_of(self.host)}: it {fault}",
            hint="nothing of it was kept; a proxy or mirror on the way may hold a damaged copy, so try past it",
        )
