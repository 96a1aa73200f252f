"""What code may change, as far as its text shows it before it runs.

ThingsDB asks the text whether a query needs a change: an assignment to a property, or a method of one of
these names. A list or set in a variable may or may not be stored, so methods on a variable do not count;
should it be stored after all, the query fails and has to say so by `wse`.
"""

from __future__ import annotations

__all__ = ["Effects"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ANYWHERE = _names("assign clear del ren remove set set_name set_args set_owner set_closure")
"""Methods that count on whatever they are called."""

_NOT_ON_VARIABLES = _names("add extend extend_unique fill pop push shift splice unshift")
"""Methods that count unless they are called on a variable, or on what is as good as one."""

_FUNCTIONS = _names(
    "wse new_procedure mod_procedure del_procedure rename_procedure new_collection del_collection "
    "rename_collection new_user del_user rename_user set_password new_token del_token del_expired grant "
    "revoke set_time_zone set_default_deep"
)
"""Functions that count."""

_NO_VARIABLE = _names("call find get reduce run try nse wse")
"""Functions whose result may be a list or set that is stored, and so is not as good as a variable."""


class Effects:
    """Watches the compiler go through a text.

    Attributes:
        has_side_effects: whether something that was seen counts as a change.
        is_forbidden: whether `nse` was seen: from there on only functions count.
        on_variable: whether the value that the next method is called on is as good as a variable.
    """

    __slots__ = ("has_side_effects", "is_forbidden", "on_variable")

    def __init__(self) -> None:
        self.has_side_effects = self.is_forbidden = self.on_variable = False

    def assignment(self) -> None:
        """To a property or an item."""
        self.has_side_effects = self.has_side_effects or not self.is_forbidden

    def method(self, name: str) -> None:
        """A method is called."""
        if name in _ANYWHERE or (name in _NOT_ON_VARIABLES and not self.on_variable):
            self.assignment()

    def function(self, name: str) -> None:
        """A function is called; its arguments come next."""
        self.has_side_effects = self.has_side_effects or name in _FUNCTIONS
        self.is_forbidden = self.is_forbidden or name == "nse"

    def result(self, name: str, builtin: bool) -> None:
        """What the function comes to is used."""
        self.on_variable = builtin and name not in _NO_VARIABLE
