"""Finds out from the text of a query whether it may change something that is stored.

As in ThingsDB, an assignment to a property counts, and a method of one of these names. A list or set in a
variable may or may not be stored, so methods that are called on a variable do not count. If it is stored
after all, the query fails, and has to declare its side effects by `wse`.
"""

from __future__ import annotations

__all__ = ["Effects"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ANYWHERE = _names("assign clear del ren remove set set_name set_args set_owner set_closure")
"""Methods that always count."""

_NOT_ON_VARIABLES = _names("add extend extend_unique fill pop push shift splice unshift")
"""Methods that count unless they are called on a variable, or on a value that is not stored."""

_FUNCTIONS = _names(
    "wse new_procedure mod_procedure del_procedure rename_procedure new_collection del_collection "
    "rename_collection new_user del_user rename_user set_password new_token del_token del_expired grant "
    "revoke set_time_zone set_default_deep"
)
"""Functions that count."""

_NO_VARIABLE = _names("call find get reduce run try nse wse")
"""Functions whose result may be a list or set that is stored. Other results count as variables."""


class Effects:
    """What the compiler has found in a text so far.

    Attributes:
        has_side_effects: whether something that counts as a change was found.
        is_forbidden: whether `nse` was found: after it only functions count.
        on_variable: whether the value that the next method is called on counts as a variable.
    """

    __slots__ = ("has_side_effects", "is_forbidden", "on_variable")

    def __init__(self) -> None:
        self.has_side_effects = self.is_forbidden = self.on_variable = False

    def assignment(self) -> None:
        """Note an assignment to a property or an item."""
        self.has_side_effects = self.has_side_effects or not self.is_forbidden

    def method(self, name: str) -> None:
        """Note a call of a method."""
        if name in _ANYWHERE or (name in _NOT_ON_VARIABLES and not self.on_variable):
            self.assignment()

    def function(self, name: str) -> None:
        """Note a call of a function, before its arguments are compiled."""
        self.has_side_effects = self.has_side_effects or name in _FUNCTIONS
        self.is_forbidden = self.is_forbidden or name == "nse"

    def result(self, name: str, builtin: bool) -> None:
        """Note that the result of a function is used."""
        self.on_variable = builtin and name not in _NO_VARIABLE
