"""What all commands of `manage.py` share: whatever is refused is told in a line, in the words that people type."""

from argparse import Action, ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from config.shared.errors import FieldError, InvalidInput, LedgerError


class LedgerCommand(BaseCommand):
    """A command whose refusals are told without a traceback; `--traceback` shows where they come from."""

    _typed: dict[str, str]

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        """Return the parser, and keep how each of its arguments is typed."""
        parser = super().create_parser(*args, **kwargs)
        self._typed = {each.dest: (each.option_strings or [each.dest])[-1] for each in _all(parser)}
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. Raises CommandError for what services refuse, and for what the database does."""
        try:
            return super().execute(*args, **options)
        except InvalidInput as error:
            raise CommandError("\n".join(self._told(each) for each in error.errors)) from error
        except LedgerError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).strip()}") from error

    def _told(self, error: FieldError) -> str:
        place = self._place(error.pointer)
        return f"{place}: {error.detail}" if place else error.detail

    def _place(self, pointer: str) -> str:
        """Return the argument of which a JSON pointer speaks; another place, such as a file, stays as it is.

        `/into/session_id` is `--into-session`, and `/only/0` is `--only`: the longest argument that begins it.
        """
        place = pointer.removeprefix("/")
        words = "_".join(word for word in place.split("/") if not word.isdigit())
        if not words.isidentifier():
            return place
        begun = [name for name in self._typed if f"{words}_".startswith(f"{name}_")]
        return self._typed[max(begun, key=len)] if begun else place


def _all(parser: ArgumentParser) -> Iterator[Action]:
    """Yield the arguments of a parser and of its actions. Django, too, reads them from where argparse keeps them."""
    for each in parser._actions:
        yield each
        if isinstance(each.choices, dict):
            for action in each.choices.values():
                yield from _all(action)
