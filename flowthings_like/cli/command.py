"""The classes that the commands are made of: click's, with usage errors as argparse prints them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

__all__ = ["Choice", "Command", "Group", "Parsed", "at_most_one", "parse_seconds", "print_usage_error"]


class _UsageText(click.Command):
    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix="usage: ")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # click leaves it out where an option lacks its argument
            raise


class Command(_UsageText):
    """A command. Its function returns the exit status."""


class Group(_UsageText, click.Group):
    """A command with commands of its own. Its usage names them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.no_args_is_help = False  # it is an error, because nothing was done
        self.command_class = Command


class Choice(click.Choice[str]):
    """One of some words."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return f"invalid choice: {value!r} (choose from {', '.join(map(repr, self.choices))})"


class Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in the newest versions alone
    """The type of an argument that a function parses.

    Args:
        parse: returns the value of a text. Its ValueError says what is wrong with the text.
        name: what the help calls it.
    """

    def __init__(self, parse: Callable[[str], Any], name: str = "text") -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value  # a default
        try:
            return self._parse(value)
        except ValueError as error:
            self._fail(str(error), param, ctx)

    def _fail(self, message: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        self.fail(message, param, ctx)


def parse_seconds(text: str) -> float:
    """For `Parsed`: a number of seconds, a day at most."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ValueError(f"seconds are a number from 0 to 86400, not {text!r}")
    return seconds


def at_most_one(**given: Any) -> None:
    """Raise UsageError if more than one of these options was given, that is, is not None or False."""
    found = [f"--{name.replace('_', '-')}" for name, value in given.items() if value not in (None, False)]
    if len(found) > 1:
        raise click.UsageError(f"{found[1]} is not allowed with {found[0]}")


def print_usage_error(error: click.UsageError) -> None:
    """Print the usage of the command and what is wrong, on stderr."""
    program = "flowthings-like"
    if error.ctx is not None:
        program = error.ctx.command_path
        print(error.ctx.get_usage(), file=sys.stderr)
    print(f"{program}: error: {error.format_message()}", file=sys.stderr)
