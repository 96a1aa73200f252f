"""What is a call, a factory, a service, or none of them."""

import pytest

from flowthings_like.green.calls.markers import CALL, FACTORY, PLAIN, SERVICE, kind_of

from ..fakes import Api, Base


@pytest.mark.parametrize(
    ("owner", "name", "kind"),
    [
        (Api(), "flow", SERVICE),
        (Api(), "drop", SERVICE),
        (Api(), "device", FACTORY),
        (Api(), "request", CALL),
        (Api(), "close", PLAIN),
        (Api(), "creds", PLAIN),
        (Api(), "websocket", PLAIN),
        (Base(), "give", CALL),
        (Base(), "iterate", PLAIN),
        (Base(), "path", PLAIN),
        (Base(), "count", PLAIN),
        (Base(), "_private", PLAIN),
        (Api().drop, "__call__", FACTORY),
    ],
)
def test_kinds(owner, name, kind):
    assert kind_of(owner, name, getattr(owner, name)) == kind


def test_a_service_class_is_no_service():
    class Holder:
        kind = Base

    assert kind_of(Holder(), "kind", Base) == PLAIN


def test_methods_of_a_subclass_count_and_callables_stored_on_a_service_do_not():
    class Mine(Base):
        def extra(self):
            """A user's own method."""

    mine = Mine()
    mine.encoder = len
    assert kind_of(mine, "extra", mine.extra) == CALL
    assert kind_of(mine, "give", mine.give) == CALL
    assert kind_of(mine, "encoder", mine.encoder) == PLAIN
