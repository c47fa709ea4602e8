"""Admin of projects, staff and their groups."""

from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff
from sessions_app.admin.base import StaffEdited
from sessions_app.models import Project, StaffUser
from sessions_app.services.staff_edits import row_update

admin.site.unregister(Group)


class PermissionsBySearch:
    """Offers the hundreds of permissions in a field that can be searched."""

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
        if db_field.remote_field.model is Permission:
            field.widget = UnfoldAdminSelect2MultipleWidget(choices=field.widget.choices)
            field.help_text = db_field.help_text
        return field


@admin.register(Project)
class ProjectAdmin(StaffEdited, LedgerModelAdmin):
    """Projects: the walls between teams."""

    project_path = "pk"
    ordering = ("slug",)
    list_display = ("slug", "name", "created_at")
    search_fields = ("slug", "name")
    search_help_text = _("Part of a short name or name")
    identity_fields = ("slug",)
    readonly_fields = ("created_at",)
    fields = ("slug", "name", "created_at")


@admin.register(StaffUser)
class StaffUserAdmin(PermissionsBySearch, StaffEdited, UserAdmin, LedgerModelAdmin):
    """Members of staff. Only superusers make superusers or hand out single permissions."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    project_path = None
    ordering = ("username",)
    list_display = ("username", "first_name", "last_name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups", "projects")
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = _("Part of a name or address")
    readonly_fields = ("last_login", "date_joined")
    autocomplete_fields = ("projects", "groups")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Reach"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "projects", "user_permissions")}),
        (_("Times"), {"fields": ("last_login", "date_joined")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffUser]:
        """Return everybody to superusers, and to others the people of their projects."""
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        projects = caller_of_staff(request).project_ids
        colleagues = StaffUser.projects.through.objects.filter(project_id__in=projects).values("staffuser_id")
        return rows.filter(Q(pk=request.user.pk) | Q(pk__in=colleagues))

    def get_readonly_fields(self, request: HttpRequest, obj: StaffUser | None = None) -> list[Any]:
        """Keep the widest rights out of the hands of those who do not have them."""
        fields = list(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else [*fields, "is_superuser", "user_permissions"]

    def has_change_permission(self, request: HttpRequest, obj: StaffUser | None = None) -> bool:
        """Let only superusers change superusers."""
        allowed = obj is None or not obj.is_superuser or request.user.is_superuser
        return allowed and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: StaffUser | None = None) -> bool:
        """Let only superusers delete superusers."""
        allowed = obj is None or not obj.is_superuser or request.user.is_superuser
        return allowed and super().has_delete_permission(request, obj)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set somebody's password; that it happened is audited, the password is not."""
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == HTTPStatus.FOUND:
            user = StaffUser.objects.get(pk=id)
            row_update(row=user, changed=["password"], caller=caller_of_staff(request), now=timezone.now())
        return response


@admin.register(Group)
class GroupAdmin(PermissionsBySearch, StaffEdited, DjangoGroupAdmin, LedgerModelAdmin):
    """Groups and their permissions."""

    project_path = None
    ordering = ("name",)
    search_fields = ("name",)
    search_help_text = _("Part of a name")
    filter_horizontal = ()
