"""Bodies of many records: a JSON list, or NDJSON, read record by record and as often as a transaction needs it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import msgspec
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from config.shared.api.bodies import PIECE_BYTES, BodyStream
from config.shared.api.json_bodies import decode_as_written, decode_json, has_long_number
from config.shared.errors import InvalidInput, TooLarge
from config.shared.text import Replaced
from history_app.services.drafts import Draft
from history_app.services.intake import RECORDS_PER_BATCH, Unreadable, faults, id_of, read_record
from history_app.services.records import record_decode

SPOOL_BYTES = 1 << 20
BATCH_BYTES = 4 << 20
_BOM, _UTF16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_DIGITS_KEPT = 40
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class RecordBody:
    """The records of one request, each as its bytes; None stands for one over MAX_RECORD_BYTES.

    The body is read to its end and checked before the first record is: what is cut off or damaged stores nothing.
    """

    def __init__(self, stream: Iterable[bytes]) -> None:
        self.replaced = Replaced()
        self._fault: InvalidInput | TooLarge | None = None
        self._file = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 (it lives as long as the request, which may be handled anew)
        for piece in stream:
            self._file.write(piece)
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        start = self._file.read(len(_BOM))
        if start.startswith(_UTF16):
            raise InvalidInput.at("", _("The body is not UTF-8."))
        self._file.seek(len(_BOM) if start == _BOM else 0)

    def raws(self) -> Iterator[bytes | None]:
        """Yield the records' bytes."""
        raise NotImplementedError

    def batches(self, now: datetime) -> Iterator[list[Draft | Unreadable]]:
        """Yield the records in batches of bounded number and size. Raises TooLarge for too many records."""
        self._begin()
        self.replaced.characters = self.replaced.numbers = 0
        batch: list[Draft | Unreadable] = []
        count, readable, size = 0, 0, 0
        for count, raw in enumerate(self.raws(), 1):
            if count > settings.MAX_RECORDS:
                raise TooLarge(_("The body holds more than %d records.") % settings.MAX_RECORDS)
            item, is_json = self._read(raw, now)
            readable += is_json
            batch.append(item)
            size += len(raw or b"")
            if len(batch) == RECORDS_PER_BATCH or size > BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch
        if count and not readable and self._fault:
            # Not one record is JSON: this is no body of records.
            raise self._fault

    def _read(self, raw: bytes | None, now: datetime) -> tuple[Draft | Unreadable, bool]:
        """Return a record's draft, or what is wrong with it, and whether it could be read as JSON at all."""
        if raw is None:
            return self._unreadable(TooLarge(_("The record takes more than %d bytes.") % settings.MAX_RECORD_BYTES))
        if not has_long_number(raw):
            characters, numbers = self.replaced.characters, self.replaced.numbers
            # A fault is found again, and told whole, by the careful way.
            with suppress(InvalidInput, TooLarge):
                draft = record_decode(raw, now=now, replaced=self.replaced)
                if draft is not None:
                    return draft, True
            self.replaced.characters, self.replaced.numbers = characters, numbers
        try:
            # Nothing is replaced before the validator sees it, which refuses an id that it would have to alter.
            value, beyond = decode_as_written(raw)
        except InvalidInput as error:
            return self._unreadable(error)
        if beyond:
            return self._unreadable(InvalidInput(beyond), id_of(value))
        return read_record(value, now=now, replaced=self.replaced), True

    def _unreadable(self, fault: InvalidInput | TooLarge, record_id: str | None = None) -> tuple[Unreadable, bool]:
        self._fault = self._fault or fault
        return Unreadable(record_id, faults(fault)), False


class ListBody(RecordBody):
    """A JSON list."""

    def raws(self) -> Iterator[bytes | None]:
        """Yield the list's items. Raises InvalidInput for what is no list."""
        body = self._file.read()
        try:
            items: list[msgspec.Raw] = _RAW_LIST.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            yield from _careful_items(body)
            return
        limit = settings.MAX_RECORD_BYTES
        for item in items:
            raw = bytes(item)
            yield raw if len(raw) <= limit else None


def _careful_items(body: bytes) -> Iterator[bytes | None]:
    """Yield the items of a list that only the careful decoder takes, such as one with NaN in it."""
    try:
        # However long a number is, its first digits are beyond 64 bits too, for which its record will be refused.
        value = json.loads(body.decode("utf-8"), parse_int=lambda digits: int(digits[:_DIGITS_KEPT]))
    except (ValueError, RecursionError):
        value = decode_json(body, Replaced())
    if not isinstance(value, list):
        raise InvalidInput.at("", _("The body is a JSON list of records."))
    for item in value:
        yield json.dumps(item).encode()


class LineBody(RecordBody):
    """NDJSON: a record a line, ended by LF alone; blank lines count for nothing."""

    def raws(self) -> Iterator[bytes | None]:
        """Yield the lines that are not blank."""
        limit = settings.MAX_RECORD_BYTES
        for line in _lines(self._file, limit):
            if line is None or line.strip():
                yield line


def _lines(file: IO[bytes], limit: int) -> Iterator[bytes | None]:
    """Yield the lines; of one over the limit, which is None, nothing is kept in memory."""
    rest, is_long = b"", False
    while piece := file.read(PIECE_BYTES):
        *ended, rest = (rest + piece).split(b"\n")
        for line in ended:
            yield None if is_long or len(line) > limit else line
            is_long = False
        if len(rest) > limit:
            rest, is_long = b"", True
    if rest or is_long:
        yield None if is_long else rest


class RecordParser(BaseParser):
    """Parses a body of records; `body_class` says how they stand in it."""

    body_class: type[RecordBody] = LineBody

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body, read and decompressed to its end."""
        request: Any = (parser_context or {})["request"]
        pieces = BodyStream(stream, request)
        body = self.body_class(pieces)
        request.body_digest, request.replaced = pieces.digest, body.replaced
        return body


class RecordListParser(RecordParser):
    """Parses `application/json`."""

    media_type = "application/json"
    body_class = ListBody


class NdjsonParser(RecordParser):
    """Parses `application/x-ndjson`."""

    media_type = "application/x-ndjson"


class JsonLinesParser(RecordParser):
    """Parses `application/jsonl`."""

    media_type = "application/jsonl"


def records_of(request: Request) -> RecordBody:
    """Return the request's records. Raises InvalidInput for a request without a body."""
    body = request.data
    if not isinstance(body, RecordBody):
        raise InvalidInput.at("", _("The body is a JSON list of records, or NDJSON with a record a line."))
    return body
