"""The tree of a program to Python functions: each node one function of the Run, made once, called often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from lark import Token, Tree

from .....wire.things import errors
from .. import limits
from ..runtime.access import item_of, look_up, member_of, slice_of
from ..runtime.builtin import FUNCTIONS
from ..runtime.iteration import Visit
from ..runtime.operators import BINARY, PREFIX
from ..runtime.run import Code, Return, Run
from ..runtime.unsupported import not_here
from ..syntax.literals import amount, checked_flags, unescaped, unquoted
from ..values.integers import bounded
from ..values.plain import result_depth, shows_ids
from ..values.text import joined, text_of
from ..values.types import Closure, Failure, Layout, Regex, Thing, Value
from .assignments import assign_item, assign_member, assign_slice, assign_variable
from .calls import FORMS, call_builtin, call_method, call_other
from .effects import Effects

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Compiler"]

_CHEAP = frozenset({int, float, bool, type(None), Thing})
"""What an operator needs no time for, if its left side is of it."""

Node: TypeAlias = Any
"""A Tree of Lark's; its children are Trees and Tokens, as the grammar says."""


class Break(Exception):
    """Leaves the loop."""


class Continue(Exception):
    """Goes on with the loop's next pass."""


class Absent(Exception):
    """Leaves a chain at `..`: what is there is nil or an error."""

    def __init__(self, value: Value) -> None:
        self.value = value


class Compiler:
    """Makes functions of one text's tree. Every method named after a rule of the grammar returns its Code.

    `effects` then says what the text may change.
    """

    def __init__(self, text: str, layout: Layout) -> None:
        self._text = text
        self._layout = layout
        self.effects = Effects()
        self._nesting = 0
        self._loops = 0

    def program(self, tree: Node) -> Code:
        """The whole of it: the value of its last statement."""
        return self._sequence(tree.children[0].children) if tree.children else _nil

    def code(self, tree: Node) -> Code:
        """Any expression."""
        self._nesting += 1
        if self._nesting > limits.MAX_NESTING:
            raise errors.SyntaxError(
                f"{_where(tree)}: expected at most {limits.MAX_NESTING} levels of nesting"
            )
        try:
            made: Code = getattr(self, tree.data)(tree)
            return made
        finally:
            self._nesting -= 1

    def _all(self, trees: Sequence[Node]) -> list[Code]:
        return [self.code(tree) for tree in trees]

    # -- statements

    def _sequence(self, trees: Sequence[Node]) -> Code:
        *before, last = self._all(trees)
        if not before:
            return last

        def sequence(run: Run) -> Value:
            for statement in before:
                statement(run)
            return last(run)

        return sequence

    def block(self, tree: Node) -> Code:
        return self._sequence(tree.children[0].children)

    def if_else(self, tree: Node) -> Code:
        condition, then = self._all(tree.children[:2])
        otherwise = tree.children[2] and self.code(tree.children[2])

        def choose(run: Run) -> Value:
            value = condition(run)
            if value:
                return then(run)
            return otherwise(run) if otherwise else value

        return choose

    def for_in(self, tree: Node) -> Code:
        names = [str(name) for name in tree.children[0].children]
        source = self.code(tree.children[1])
        self._loops += 1
        body = self.code(tree.children[2])
        self._loops -= 1

        def loop(run: Run) -> Value:
            value = source(run)
            with Visit(run, value) as found:
                if not found:
                    return value
                variables = run.frame
                variables.update(dict.fromkeys(names))
                for values in found:
                    run.spend()
                    for name, passed in zip(names, values, strict=False):
                        variables[name] = passed
                    try:
                        body(run)
                    except Continue:
                        continue
                    except Break:
                        break
            return None

        return loop

    def break_(self, tree: Node) -> Code:
        return self._jump(tree, Break)

    def continue_(self, tree: Node) -> Code:
        return self._jump(tree, Continue)

    def _jump(self, tree: Node, jump: type[Exception]) -> Code:
        if not self._loops:
            raise errors.SyntaxError(
                f"illegal `{jump.__name__.lower()}` statement; no surrounding `for..in` statement"
            )

        def leave(run: Run) -> Value:
            raise jump

        return leave

    def return_(self, tree: Node) -> Code:
        value, depth, flags = (child and self.code(child) for child in (*tree.children, None, None, None)[:3])

        def leave(run: Run) -> Value:
            if depth is not None:
                run.depth = result_depth(depth(run))
            if flags is not None:
                run.ids = shows_ids(flags(run))
            raise Return(None if value is None else value(run))

        return leave

    def assign(self, tree: Node) -> Code:
        target, sign, given = tree.children
        combine = BINARY.get(sign[:-1])
        if target.data == "variable":
            return assign_variable(str(target.children[0]), self.code(given), combine)
        self.effects.assignment()
        if target.data == "root_member":
            return assign_member(_root, str(target.children[1]), self.code(given), combine)
        if target.data == "postfix":
            *trees, last = target.children
            owner = self._chain(trees, last)
            value = self.code(given)
            if last.data == "member":
                made = assign_member(owner, str(last.children[1]), value, combine)
                return _ending(made, target.children)
            if last.data == "index":
                made = assign_item(owner, self.code(last.children[0]), value, combine)
                return _ending(made, target.children)
            if last.data == "slice":
                made = assign_slice(owner, self._bounds(last), value, str(sign))
                return _ending(made, target.children)
        raise errors.SyntaxError(
            f"{_where(tree)}: expected a variable, a property or an index before `{sign}`"
        )

    # -- operators

    def ternary(self, tree: Node) -> Code:
        condition, then, otherwise = self._all(tree.children)
        return lambda run: then(run) if condition(run) else otherwise(run)

    def either(self, tree: Node) -> Code:
        codes = self._all(tree.children[::2])

        def either(run: Run) -> Value:
            for code in codes:
                value = code(run)
                if value:
                    break
            return value

        return either

    def both(self, tree: Node) -> Code:
        codes = self._all(tree.children[::2])

        def both(run: Run) -> Value:
            for code in codes:
                value = code(run)
                if not value:
                    break
            return value

        return both

    def sum(self, tree: Node) -> Code:
        first, *rest = self._all(tree.children[::2])
        steps = [(BINARY[sign], code) for sign, code in zip(tree.children[1::2], rest, strict=True)]
        if len(steps) == 1:
            apply, second = steps[0]

            def pair(run: Run) -> Value:
                left = first(run)
                value = apply(left, second(run))
                return value if type(left) in _CHEAP else run.made(value)

            return pair

        def chain(run: Run) -> Value:
            value = first(run)
            for apply, code in steps:
                left, value = value, apply(value, code(run))
                if type(left) not in _CHEAP:
                    run.made(value)
            return value

        return chain

    compared = bit_or = bit_xor = bit_and = shifted = product = sum

    def prefixed(self, tree: Node) -> Code:
        sign, operand = tree.children
        if sign == "-" and operand.data == "integer":
            return self._constant(bounded(-amount(operand.children[0])))
        apply, value = PREFIX[sign], self.code(operand)
        return lambda run: apply(value(run))

    # -- access and calls

    def postfix(self, tree: Node) -> Code:
        return _ending(self._chain(tree.children), tree.children)

    def _chain(self, trees: Sequence[Node], next: Node = None) -> Code:
        """A value and what is got of it link by link; `next` is the link that comes after these."""
        nesting = self._nesting
        code = self.code(trees[0])
        for link in trees[1:]:
            self._nesting += 1
            code = getattr(self, "_" + link.data)(_present(code) if _optional(link) else code, link)
        self._nesting = nesting
        return _present(code) if _optional(next) else code

    def _member(self, owner: Code, trailer: Node) -> Code:
        name = str(trailer.children[1])
        self.effects.on_variable = False
        return lambda run: member_of(owner(run), name)

    def _method(self, owner: Code, trailer: Node) -> Code:
        name = str(trailer.children[1])
        self.effects.method(name)
        args = self._all(trailer.children[2].children)
        self.effects.on_variable = False
        return call_method(owner, name, args)

    def _index(self, owner: Code, trailer: Node) -> Code:
        index = self.code(trailer.children[0])
        return lambda run: item_of(owner(run), index(run))

    def _slice(self, owner: Code, trailer: Node) -> Code:
        bounds = self._bounds(trailer)
        return lambda run: slice_of(run, owner(run), *[bound(run) for bound in bounds])

    def _bounds(self, trailer: Node) -> list[Code]:
        bounds = [_nil if child is None else self.code(child) for child in trailer.children[::2]]
        return [*bounds, _nil, _nil, _nil][:3]

    def root_member(self, tree: Node) -> Code:
        name = str(tree.children[1])
        self.effects.on_variable = False
        return lambda run: member_of(_root(run), name)

    def root_method(self, tree: Node) -> Code:
        self.effects.on_variable = False
        return self._method(_root, tree)

    def variable(self, tree: Node) -> Code:
        name = str(tree.children[0])
        self.effects.on_variable = True
        return lambda run: look_up(run, name)

    def call(self, tree: Node) -> Code:
        name, given = str(tree.children[0]), tree.children[1].children
        self.effects.function(name)
        args = self._all(given)
        builtin = FUNCTIONS.get(name)
        self.effects.result(name, builtin is not None or name in FORMS)
        if name in FORMS:
            return FORMS[name](args, self._source(given[0]) if given else "")
        return call_other(name, args) if builtin is None else call_builtin(builtin, args)

    def instance(self, tree: Node) -> Code:
        raise not_here(f"type `{tree.children[0]}`", "types of one's own")

    # -- values

    def nil(self, tree: Node) -> Code:
        return self._constant(None)

    def true(self, tree: Node) -> Code:
        return self._constant(True)

    def false(self, tree: Node) -> Code:
        return self._constant(False)

    def integer(self, tree: Node) -> Code:
        return self._constant(bounded(amount(tree.children[0])))

    def real(self, tree: Node) -> Code:
        return self._constant(float(tree.children[0]))

    def string(self, tree: Node) -> Code:
        return self._constant(unquoted(tree.children[0]))

    def regex(self, tree: Node) -> Code:
        return self._constant(Regex(checked_flags(str(tree.children[0]))))

    def _constant(self, value: Value) -> Code:
        self.effects.on_variable = False
        return _constant(value)

    def template(self, tree: Node) -> Code:
        parts = [
            _constant(unescaped(child)) if isinstance(child, Token) else self.code(child)
            for child in tree.children
        ]
        return lambda run: run.made(joined([text_of(part(run)) for part in parts]))

    def list_(self, tree: Node) -> Code:
        items = self._all(tree.children[0].children)
        self.effects.on_variable = True
        return lambda run: run.items(item(run) for item in items)

    def thing(self, tree: Node) -> Code:
        pairs = [(pair.children[0].children, pair.children[1]) for pair in tree.children[0].children]
        names = [str(key[0]) for key, _ in pairs]
        codes = [self.code(Tree("variable", key) if value is None else value) for key, value in pairs]

        def make(run: Run) -> Thing:
            thing = Thing()
            for name, code in zip(names, codes, strict=True):
                run.assign(thing, name, code(run))
            return thing

        return make

    def closure(self, tree: Node) -> Code:
        made = self.closure_of(tree)
        self.effects.on_variable = False

        def again(run: Run) -> Value:
            closure = run.closures.get(made)
            if closure is None:
                closure = run.closures[made] = made.copy()
            return closure

        return again

    def closure_of(self, tree: Node) -> Closure:
        """The closure itself. A query works on a copy of it: what is said of it is the query's own."""
        names = next((child.children for child in tree.children if getattr(child, "data", "") == "names"), ())
        loops, self._loops = self._loops, 0
        changes, self.effects.changes = self.effects.changes, False
        body = self.code(tree.children[-1])
        self._loops = loops
        made = Closure(
            tuple(map(str, names)),
            body,
            self._source(tree),
            self._layout,
            _doc(tree.children[-1]),
            self.effects.changes,
        )
        self.effects.changes = self.effects.changes or changes
        return made

    def _source(self, tree: Node) -> str:
        if not hasattr(tree.meta, "start_pos"):
            return ""
        return self._text[tree.meta.start_pos : tree.meta.end_pos]

    def parenthesis(self, tree: Node) -> Code:
        return self.code(tree.children[0])


def _where(tree: Node) -> str:
    return f"line {tree.meta.line}, column {tree.meta.column}"


def _optional(link: Node) -> bool:
    """Whether the link of a chain is one behind `..`."""
    return link is not None and link.data in ("member", "method") and link.children[0] == ".."


def _present(code: Code) -> Code:
    """What the chain goes on from."""

    def check(run: Run) -> Value:
        value = code(run)
        if value is None or type(value) is Failure:
            raise Absent(value)
        return value

    return check


def _ending(code: Code, trees: Sequence[Node]) -> Code:
    """A whole chain: what it is left with is its value."""
    if not any(map(_optional, trees)):
        return code

    def end(run: Run) -> Value:
        try:
            return code(run)
        except Absent as absent:
            return absent.value

    return end


def _nil(run: Run) -> Value:
    return None


def _constant(value: Value) -> Code:
    return lambda run: value


def _doc(body: Node) -> str:
    """The string that a closure's block begins with."""
    if body.data != "block":
        return ""
    first = body.children[0].children[0]
    return unquoted(first.children[0]) if first.data == "string" else ""


def _root(run: Run) -> Thing:
    if run.scope.kind != "collection":
        raise errors.LookupError(f"the `{run.scope.name}` scope has no root; query a collection for things")
    return run.collection.root
