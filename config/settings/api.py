"""How the REST API authenticates, renders, paginates and documents itself."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "sessions_app.api.authentication.ApiKeyAuthentication",
        "config.shared.api.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["sessions_app.api.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["config.shared.api.renderers.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.shared.api.parsers.OrjsonParser"],
    "DEFAULT_PAGINATION_CLASS": "config.shared.api.pagination.LedgerCursorPagination",
    "DEFAULT_FILTER_BACKENDS": [
        "config.shared.api.filters.StrictFilterBackend",
        "config.shared.api.filters.StableOrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.shared.api.problems.problem_response",
    "COERCE_DECIMAL_TO_STRING": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "AgentLedger API",
    "DESCRIPTION": "The system of record for AI agents: sessions, history, cost and configuration.",
    "VERSION": "0.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.shared.api.schema.document_problems",
        "config.shared.api.schema.document_keys",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Several resources have a status or a role of their own.
    "ENUM_NAME_OVERRIDES": {
        "MessageRole": "history_app.models.Message.Role",
        "ToolCallStatus": "history_app.models.ToolCall.Status",
        "WorkStatus": "history_app.models.tasks.WorkStatus",
        "KnowledgeSourceStatus": "sessions_app.models.KnowledgeSource.Status",
        "KeyRole": "sessions_app.models.ApiKey.Role",
        "SessionStatusWord": "sessions_app.models.Session.Status",
        "WorkflowRunStatus": "sessions_app.models.WorkflowRun.Status",
    },
}
