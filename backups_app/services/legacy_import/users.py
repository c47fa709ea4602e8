"""Brings in end users: preferences, what was counted for them, and their provider keys, which are sealed."""

from backups_app.legacy.times import times_assumed
from backups_app.legacy.types import Finding, LegacyUser, Level
from backups_app.services.legacy_import.conflicts import OnConflict, replaced_finding
from backups_app.services.legacy_import.items import ImportContext
from config.shared.errors import InvalidInput
from sessions_app.models import ProviderKey, UserConfig
from sessions_app.services.user_configs import provider_key_set, user_config_save

USER_KIND = "user_config"
KEY_KIND = "provider_key"
NO_SECOND = ": a user has one configuration, and of a provider one key"


class UserImport:
    """Brings each user in by itself. What is stored of a user stays, or is replaced; a key that is lacking is added."""

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._waiting: list[LegacyUser] = []

    def add(self, user: LegacyUser) -> None:
        """Take one user on, with the keys."""
        kinds = self._context.report.kinds
        kinds[USER_KIND].read += 1
        kinds[USER_KIND].zoneless += _zoneless(user)
        kinds[KEY_KIND].read += len(user.api_keys)
        self._waiting.append(user)

    def flush(self) -> None:
        """Bring in who is waiting."""
        for user in self._waiting:
            rows = UserConfig.objects.filter(project_id=self._context.project_id, user_id=user.user_id)
            stored = rows.first()
            row = self._saved(user, USER_KIND) if stored is None else stored
            self._settle(user, stored)
            self._bring_keys(user, row)
        self._waiting.clear()

    def _saved(self, user: LegacyUser, kind: str) -> UserConfig:
        context = self._context
        times = {"created_at": user.created_at or user.updated_at, "updated_at": user.updated_at or user.created_at}
        stated = {name: moment for name, moment in times.items() if moment is not None}
        row, _created = user_config_save(
            project_id=context.project_id,
            user_id=user.user_id,
            preferences=user.preferences,
            brought={"brought_in": user.brought_in, **stated},
            now=context.now,
            caller=context.caller,
        )
        context.brought(kind, user.user_id, user.place, zoneless=_zoneless(user))
        return row

    def _settle(self, user: LegacyUser, stored: UserConfig | None) -> None:
        context, solved = self._context, ""
        if stored is None:
            result = "new"
        elif stored.preferences == user.preferences and stored.brought_in == user.brought_in:
            result = "same"
        elif context.on_conflict == OnConflict.REPLACE:
            result, solved = "conflicting", "replaced"
            before = {"preferences": stored.preferences, "brought_in": stored.brought_in}
            context.log.add_note(replaced_finding(USER_KIND, user, user.user_id, before))
            self._saved(user, f"replaced_{USER_KIND}")
        else:
            result = "conflicting"
            told = {"user_id": user.user_id, "preferences": user.preferences, "brought_in": user.brought_in}
            detail = f"the user {user.user_id!r:.300} is stored with another configuration, which stays{self._alone()}"
            context.contradict(USER_KIND, user.place, detail, told)
        context.settle(USER_KIND, result, repaired=user.repaired, solved=solved)

    def _alone(self) -> str:
        """Why both are not kept, where that was asked for."""
        return NO_SECOND if self._context.on_conflict == OnConflict.BOTH else ""

    def _bring_keys(self, user: LegacyUser, row: UserConfig) -> None:
        stored = {key.provider: key for key in ProviderKey.objects.filter(user_config=row)}
        for provider, secret in user.api_keys.items():
            key = stored.get(provider)
            if key is None:
                self._seal(user, row, provider, secret)
            elif key.reveal() == secret:
                self._context.settle(KEY_KIND, "same")
            elif self._context.on_conflict == OnConflict.REPLACE:
                self._seal(user, row, provider, secret, replacing=True)
            else:
                self._context.settle(KEY_KIND, "conflicting")
                detail = f"the user {user.user_id!r:.300} has another key of {provider!r}, which stays{self._alone()}"
                self._context.contradict(KEY_KIND, user.place, detail, {"provider": provider})

    def _seal(self, user: LegacyUser, row: UserConfig, provider: str, secret: str, *, replacing: bool = False) -> None:
        context = self._context
        try:
            provider_key_set(user_config=row, provider=provider, secret=secret, now=context.now, caller=context.caller)
        except InvalidInput as error:
            context.settle(KEY_KIND, "rejected")
            context.refuse(KEY_KIND, user.place, str(error), {"provider": provider})
            return
        name = f"{user.user_id}/{provider}"
        if not replacing:
            context.settle(KEY_KIND, "new")
            context.brought(KEY_KIND, name, user.place)
            return
        context.settle(KEY_KIND, "conflicting", solved="replaced")
        # A key is in no finding: the former one is gone.
        detail = f"the user {user.user_id!r:.300} had another key of {provider!r}, which is replaced"
        context.log.add_note(Finding(Level.CONFLICT, "replaced", user.place, detail, KEY_KIND))
        context.brought(f"replaced_{KEY_KIND}", name, user.place)


def _zoneless(user: LegacyUser) -> int:
    return times_assumed(user.created_at, user.updated_at)
