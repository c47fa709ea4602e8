"""Forms that keep what was not changed, exactly as it was stored."""

import json
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from config.shared.admin.shown import pretty_json
from config.shared.errors import InvalidInput, LedgerError, StaleVersion
from config.shared.text import Replaced, clean_json, clean_text


class JsonTextarea(UnfoldAdminTextareaWidget):
    """A monospaced text area, as tall as its JSON up to a bound."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs={"spellcheck": "false", "dir": "auto", **(attrs or {})})
        self.attrs["class"] = f"{self.attrs.get('class', '')} ledger-json-input"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Give the area as many rows as the text has lines, between 3 and 24."""
        context = super().get_context(name, value, attrs)
        lines = str(value or "").count("\n") + 2
        context["widget"]["attrs"]["rows"] = max(3, min(24, lines))
        return context


class JsonFormField(forms.JSONField):
    """JSON edited as text: shown indented; a mistake is named with its line."""

    widget = JsonTextarea

    def prepare_value(self, value: Any) -> str:
        """Return the text to edit."""
        if isinstance(value, forms.fields.InvalidJSONInput):
            return value
        return "" if value in (None, {}, []) else pretty_json(value)

    def to_python(self, value: Any) -> Any:
        """Read the text. Raises ValidationError that says where the JSON is wrong."""
        if value in self.empty_values:
            return self.empty_value
        try:
            parsed = json.loads(value, parse_constant=_no_constant)
            return clean_json(parsed, Replaced())
        except json.JSONDecodeError as error:
            place = {"line": error.lineno, "column": error.colno, "why": error.msg}
            raise forms.ValidationError(
                _("Not JSON at line %(line)s, column %(column)s: %(why)s."), params=place
            ) from error
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_("Not usable JSON: %(why)s."), params={"why": error}) from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Show the typed text again, also when it is no JSON."""
        return None if data is None else forms.fields.InvalidJSONInput(data)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether the value differs; layout and the order of keys do not count."""
        try:
            return json.dumps(initial, sort_keys=True) != json.dumps(self.to_python(data), sort_keys=True)
        except forms.ValidationError:
            return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


class ExactTextField(forms.CharField):
    """Text whose spaces count; the line ends that a browser sends are turned back into single line feeds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "strip": False})

    def to_python(self, value: Any) -> Any:
        """Return the text as it will be stored: what a database refuses is replaced (api.md)."""
        text = super().to_python(value)
        return clean_text(text.replace("\r\n", "\n"), Replaced()) if isinstance(text, str) else text

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether more than the line ends differ."""
        stored = (initial or "").replace("\r\n", "\n")
        return stored != (data or "").replace("\r\n", "\n")


class LedgerForm(forms.ModelForm):
    """A model form whose unchanged fields are left alone: a browser rounds times and rewrites line ends."""

    # Set by the admin when a service has refused the same input: shown as errors of the form.
    refusal: LedgerError | None = None

    def clean(self) -> dict[str, Any]:
        """Forget what was not changed, and show what the service refused."""
        cleaned = super().clean() or self.cleaned_data
        if self.instance.pk is not None:
            changed = set(self.changed_data)
            for name in [name for name in cleaned if name not in changed]:
                del cleaned[name]
        if self.refusal is not None:
            self._add_refusal(self.refusal)
        return cleaned

    def _add_refusal(self, refusal: LedgerError) -> None:
        if isinstance(refusal, StaleVersion):
            self.add_error(None, _("Somebody else has changed this in the meantime. Load the page again."))
        elif isinstance(refusal, InvalidInput):
            for error in refusal.errors:
                name = error.pointer.strip("/").split("/")[0]
                self.add_error(name if name in self.fields else NON_FIELD_ERRORS, f"{error.pointer}: {error.detail}")
        else:
            self.add_error(None, str(refusal) or _("This is not possible."))


class VersionedForm(LedgerForm):
    """A form of a versioned row: it carries the version that was seen, so that nobody overwrites unseen changes."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["seen_version"] = self.instance.version

    def clean(self) -> dict[str, Any]:
        """Refuse the change when the row has moved on since the form was opened."""
        seen = self.cleaned_data.get("seen_version")
        if self.refusal is None and self.instance.pk is not None and seen not in (None, self.instance.version):
            self.refusal = StaleVersion(self.instance.version)
        return super().clean()
