"""The configs tree of document 000 (global, llms/, workflows/, agents/) as YAML: written, and read back exactly."""

from sessions_app.services.config_trees.exporting import configs_export
from sessions_app.services.config_trees.form import INDEX, MOST_BYTES, MOST_FILES, Tree
from sessions_app.services.config_trees.importing import Imported, configs_import

__all__ = ["INDEX", "MOST_BYTES", "MOST_FILES", "Imported", "Tree", "configs_export", "configs_import"]
