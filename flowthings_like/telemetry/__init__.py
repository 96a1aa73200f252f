"""What the calls of this process do, told to observers: one event for each logical call.

    from flowthings_like import telemetry

    def note(event: telemetry.CallEvent) -> None:
        print(event.family.value, event.operation, event.outcome.value, event.seconds)

    subscription = telemetry.subscribe(note)

As long as nobody subscribes, a call costs what it would cost without this package. An event never has a
value, a path, a token or the text of an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .event import CallEvent, Family, Outcome
from .observers import Observer, Subscription, subscribe

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["CallEvent", "Family", "Observer", "Outcome", "Subscription", "instrument", "subscribe"]


def instrument(tracer_provider: TracerProvider | None = None) -> Subscription:
    """Make an OpenTelemetry span of each call from now on, and send `traceparent` with HTTP requests.

    A span's parent is the current span where the call is made, also in the green threads of `lazy()` and
    `async_()`. A call that travels in a bulk request has a link to that request's span.

    Args:
        tracer_provider: where the spans go; None for OpenTelemetry's global one.

    Returns:
        The subscription; its `close` ends it.

    Raises:
        ConfigurationError: opentelemetry-api is not installed.
    """
    try:
        from .spans import Spans  # OpenTelemetry is optional, and takes long to import
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("opentelemetry"):
            raise
        raise ConfigurationError(
            "spans need the package opentelemetry-api: pip install 'flowthings_like[telemetry]'"
        ) from None
    return subscribe(Spans(tracer_provider))
