"""Fields that only history has: the session that a fact names, and the beginning of a large document."""

import json
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.shared.api.fields import TextValue
from history_app.selectors.beginnings import is_cut, opening

ID_LENGTH = 255


class SessionName(TextValue):
    """The text id of the fact's session."""

    is_plain = True

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("source", "session.session_id")
        kwargs.setdefault("max_length", ID_LENGTH)
        super().__init__(**kwargs)


@extend_schema_field({"nullable": True, "description": "The document; of a large one the beginning, as text."})
class Beginning(serializers.Field):
    """A JSON document in a list: as it is where it is small, else the first characters of its text."""

    needs_only_the_row = True

    def __init__(self, *, empty: str | None = None, **kwargs: Any) -> None:
        self.empty = empty
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> str | None:
        """Return the beginning of the stored text, or the text of an empty document."""
        text: str | None = getattr(instance, f"{self.field_name}_beginning")
        return self.empty if text is None else text

    def to_representation(self, value: str) -> Any:
        """Return the document, or its first characters."""
        return opening(value) if is_cut(value) else json.loads(value)


@extend_schema_field({"type": "boolean", "description": _("Whether one of the documents is shown in part.")})
class Truncated(serializers.Field):
    """Whether the row shows only the beginning of one of these documents."""

    needs_only_the_row = True

    def __init__(self, columns: tuple[str, ...], **kwargs: Any) -> None:
        self.columns = columns
        super().__init__(source="*", read_only=True, **kwargs)

    def to_representation(self, value: Any) -> bool:
        """Return whether there is more."""
        return any(is_cut(getattr(value, f"{column}_beginning")) for column in self.columns)
