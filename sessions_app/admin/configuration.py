"""Admin of configuration: of the system, of the agents' end users, and of the provider keys they brought."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff
from config.shared.admin.forms import ExactTextField, LedgerForm, VersionedForm
from config.shared.admin.shown import shown_beginning
from config.shared.callers import Caller
from sessions_app.models import ProviderKey, SystemConfig, UserConfig
from sessions_app.services.configs import config_delete, config_set
from sessions_app.services.user_configs import (
    provider_key_delete,
    provider_key_set,
    user_config_delete,
    user_config_save,
)

# What settings with a known set of values are chosen from.
CHOICES = {"log_level": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}
# Seconds, by the end of the key.
SECONDS = ("_timeout", "_seconds", "_interval", "_ttl")


class SystemConfigForm(VersionedForm):
    """Offers the input that the setting's type asks for; with another type chosen, the value is typed as JSON."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.value_type if self.instance.pk is not None else None
        asked = self.data.get("value_type", stored) if self.is_bound else stored
        if stored is not None and asked == stored and "value" in self.fields:
            field = self._typed(stored, self.fields["value"])
            field.label, field.help_text = self.fields["value"].label, self._hint()
            self.fields["value"] = field

    def _typed(self, value_type: str, usual: forms.Field) -> forms.Field:
        kinds = SystemConfig.ValueType
        if value_type == kinds.BOOLEAN:
            return forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget())
        if value_type == kinds.INTEGER:
            return forms.IntegerField(widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}))
        if value_type == kinds.NUMBER:
            return forms.FloatField(widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}))
        if value_type == kinds.TEXT and self.instance.key in CHOICES:
            words = dict.fromkeys((*CHOICES[self.instance.key], self.instance.value))
            return forms.ChoiceField(choices=[(word, word) for word in words], widget=UnfoldAdminSelectWidget())
        if value_type == kinds.TEXT:
            return ExactTextField(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
        return usual

    def _hint(self) -> str:
        unit = _("In seconds.") if self.instance.key.endswith(SECONDS) else ""
        # The settings that every project starts with are described by us, the others by whoever made them.
        words = gettext(self.instance.description) if self.instance.description else ""
        return " ".join(str(part) for part in (words, unit) if part)


@admin.register(SystemConfig)
class SystemConfigAdmin(LedgerModelAdmin):
    """Settings of a project. Secrets inside a value show as a mask; leaving the mask in place keeps the secret."""

    form = SystemConfigForm
    change_form_outer_before_template = list_before_template = "admin/config_links.html"
    ordering = ("project", "section", "key")
    list_display = ("key", "section", "value_type", "shown_value", "version", "updated_at")
    list_filter = ("value_type", "section")
    search_fields = ("^key", "=section")
    search_help_text = _("Beginning of a key, or a whole section")
    autocomplete_fields = ("project",)
    identity_fields = ("project", "key")
    readonly_fields = ("version", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("project", "key", "section", "value_type", "value", "description", "seen_version")}),
        (_("Times"), {"fields": ("created_at", "updated_at", "version")}),
    )

    @display(description=_("value"))
    def shown_value(self, row: SystemConfig) -> str:
        """The beginning of the value, its secrets masked as they are stored."""
        return shown_beginning(row.value)

    def row_create(self, row: SystemConfig, caller: Caller) -> SystemConfig:
        return self._set(row, caller, None)

    def row_update(self, row: SystemConfig, changed: list[str], caller: Caller) -> None:
        self._set(row, caller, row.version)

    def row_delete(self, row: SystemConfig, caller: Caller) -> None:
        config_delete(config=row, caller=caller, now=timezone.now())

    @staticmethod
    def _set(row: SystemConfig, caller: Caller, version: int | None) -> SystemConfig:
        config, _created = config_set(
            project_id=row.project_id,
            key=row.key,
            value=row.value,
            value_type=row.value_type,
            section=row.section,
            description=row.description,
            caller=caller,
            now=timezone.now(),
            expected_version=version,
        )
        return config


@admin.register(UserConfig)
class UserConfigAdmin(LedgerModelAdmin):
    """The agents' end users and their preferences."""

    form = VersionedForm
    time_field = "created_at"
    list_display = ("user_id", "version", "created_at", "updated_at")
    list_only = ("user_id", "version", "created_at", "updated_at")
    search_fields = ("^user_id",)
    search_help_text = _("Beginning of a user id")
    autocomplete_fields = ("project",)
    identity_fields = ("project", "user_id")
    readonly_fields = ("shown_keys", "brought_in", "version", "created_at", "updated_at")
    masked_fields = ("preferences", "brought_in")
    fieldsets = (
        (None, {"fields": ("project", "user_id", "preferences", "shown_keys", "brought_in", "seen_version")}),
        (_("Times"), {"fields": ("created_at", "updated_at", "version")}),
    )

    @display(description=_("provider keys"))
    def shown_keys(self, row: UserConfig) -> str:
        """The masked keys that hang on the user; they are set and removed on their own pages."""
        return ", ".join(str(key) for key in row.provider_keys.order_by("provider")) if row.pk else "-"

    def row_create(self, row: UserConfig, caller: Caller) -> UserConfig:
        return self._save(row, caller, None)

    def row_update(self, row: UserConfig, changed: list[str], caller: Caller) -> None:
        self._save(row, caller, row.version)

    def row_delete(self, row: UserConfig, caller: Caller) -> None:
        user_config_delete(user_config=row, caller=caller, now=timezone.now())

    @staticmethod
    def _save(row: UserConfig, caller: Caller, version: int | None) -> UserConfig:
        config, _created = user_config_save(
            project_id=row.project_id,
            user_id=row.user_id,
            preferences=row.preferences,
            caller=caller,
            now=timezone.now(),
            expected_version=version,
        )
        return config


class ProviderKeyForm(LedgerForm):
    """Takes a key in, and never gives one out."""

    secret = forms.CharField(
        label=_("key"),
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Written only: it is stored encrypted and shown nowhere. Empty keeps the stored key."),
    )

    def clean_secret(self) -> str:
        """Require a key for a new row."""
        secret = self.cleaned_data["secret"]
        if not secret and self.instance.pk is None:
            raise forms.ValidationError(_("A key is needed."))
        return str(secret)


@admin.register(ProviderKey)
class ProviderKeyAdmin(LedgerModelAdmin):
    """Keys of end users with model providers: set, replaced and removed here, never read."""

    form = ProviderKeyForm
    project_path = "user_config__project_id"
    list_display = ("provider", "user_config", "shown_key", "updated_at")
    list_select_related = ("user_config",)
    list_only = ("provider", "ending", "updated_at", "user_config__user_id")
    search_fields = ("^user_config__user_id", "=provider")
    search_help_text = _("Beginning of a user id, or a whole provider name")
    raw_id_fields = ("user_config",)
    identity_fields = ("user_config", "provider")
    readonly_fields = ("shown_key", "created_at", "updated_at")
    fields = ("user_config", "provider", "shown_key", "secret", "created_at", "updated_at")

    @display(description=_("stored key"))
    def shown_key(self, row: ProviderKey) -> str:
        """The key as it may be shown: a mask and its last characters."""
        return row.masked if row.pk else "-"

    def save_model(self, request: HttpRequest, obj: ProviderKey, form: Any, change: bool) -> None:
        """Seal what was typed in; an empty field of a stored key changes nothing."""
        if not form.cleaned_data.get("secret"):
            return
        stored = provider_key_set(
            user_config=obj.user_config,
            provider=obj.provider,
            secret=form.cleaned_data["secret"],
            caller=caller_of_staff(request),
            now=timezone.now(),
        )
        obj.pk = stored.pk

    def row_delete(self, row: ProviderKey, caller: Caller) -> None:
        provider_key_delete(user_config=row.user_config, provider=row.provider, caller=caller, now=timezone.now())
