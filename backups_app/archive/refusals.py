"""Why an archive is not taken: always with the file that is to blame."""


class ArchiveRefused(Exception):
    """The archive is not what its maker wrote, or cannot be read here; `file` is its path inside the archive."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file, self.reason = file, reason


class KeyMissing(ArchiveRefused):
    """None of the identities that are given here opens its files: of the archive itself that says nothing."""
