"""Commands that have commands."""

from __future__ import annotations

import click


class Group(click.Group):
    """A command with commands; whoever mistypes one is told the nearest."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant. Raises UsageError."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from argosy.model.choices import nearest

            near = nearest(args[0], self.list_commands(ctx))
            words = error.message if near is None else f"{error.message} Did you mean {near}?"
            raise click.UsageError(words, ctx) from None
