"""A ZIP archive as the body of a request: bounded, checked, and never unpacked onto a disk."""

import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from config.shared.api.bodies import BodyStream
from config.shared.errors import InvalidInput, TooLarge

# Nobody's settings need more, and to list a million empty files would take long.
MOST_ENTRIES = 10_000


class ZipParser(BaseParser):
    """Parses `application/zip` into the bytes of each YAML file by its path."""

    media_type = "application/zip"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, bytes]:
        """Return the files. Raises ParseError, InvalidInput for a file that is there twice, TooLarge."""
        request = (parser_context or {})["request"]
        pieces = BodyStream(stream, request)
        body = b"".join(pieces)
        request.body_digest = pieces.digest
        try:
            return _files(ZipFile(BytesIO(body)))
        except (BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            # What the standard library raises for damage and passwords.
            raise ParseError("The body is not a ZIP archive that can be read.") from error


def _files(archive: ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise TooLarge(f"The archive has more than {MOST_ENTRIES} files.")
    files: dict[str, bytes] = {}
    left = settings.MAX_BODY_BYTES
    for entry in _yaml(entries):
        if entry.filename in files:
            raise InvalidInput.at(f"/{entry.filename}", "The archive has this file twice.")
        if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise ParseError(f"{entry.filename} is packed in a way that is not read: use deflate.")
        # What an entry says of its size is not believed.
        with archive.open(entry) as file:
            files[entry.filename] = file.read(left + 1)
        left -= len(files[entry.filename])
        if left < 0:
            raise TooLarge(f"The archive is over {settings.MAX_BODY_BYTES} bytes when unpacked.")
    return files


def _yaml(entries: list[ZipInfo]) -> Iterator[ZipInfo]:
    """Yield the YAML files; what an archiver of macOS adds about them is none."""
    for entry in entries:
        if entry.filename.endswith((".yaml", ".yml")) and not entry.filename.startswith("__MACOSX/"):
            yield entry
