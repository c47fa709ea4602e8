"""Pure parsers of the stores that came before: they read files and yield plain structs, and know no database."""
