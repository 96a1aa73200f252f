"""The functions of the @thingsdb scope for privileges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....wire.things import errors as things_errors
from ....wire.things.privileges import Privilege
from ....wire.things.scopes import parse_scope
from ..resolved_scope import resolve_scope
from ..users import privileges
from .functions import context_of, thingsdb_function

if TYPE_CHECKING:
    from ..language import Run


@thingsdb_function
def grant(run: Run, scope: str, name: str, mask: int) -> None:
    _change_mask(run, scope, name, mask, lambda had, given: had | given)


@thingsdb_function
def revoke(run: Run, scope: str, name: str, mask: int) -> None:
    _change_mask(run, scope, name, mask, lambda had, taken: had & ~taken)


def _change_mask(run: Run, scope: str, name: str, mask: int, combine: Any) -> None:
    context = context_of(run)
    resolved = resolve_scope(parse_scope(scope), context.state, context.node.id)
    context.user.require(resolved.key, Privilege.GRANT, resolved.name)
    user = context.state.user(name)
    if user.owner:
        raise things_errors.OperationError(f"`{name}` is the account itself, which may do everything")
    asked = privileges(mask)
    if not context.user.owner and not context.user.may(resolved.key, asked):
        raise things_errors.ForbiddenError("nobody can grant or revoke what they may not do themselves")
    user.access[resolved.key] = combine(user.access.get(resolved.key, Privilege(0)), asked)
    context.state.put_user(user)
