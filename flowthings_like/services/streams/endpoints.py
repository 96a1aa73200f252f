"""Where a BTrDB server is: parses "host:port" and URLs, and finds endpoint and key on this machine.

The file of credentials is BTrDB's own, `~/.predictivegrid/credentials.yaml`:

    default:
      btrdb:
        endpoints: "example.com:4411"
        api_key: "…"
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ...errors import ConfigurationError, InvalidInput
from ...transport.outgoing_values import resolve
from ...wire.btrdb.errors import ConnectionError, CredentialsFileNotFound, ProfileNotFound

__all__ = [
    "CREDENTIALS",
    "Endpoint",
    "credentials",
    "credentials_by_profile",
    "find_endpoint",
    "parse_endpoint",
]

CREDENTIALS = Path("~/.predictivegrid/credentials.yaml")
"""BTrDB's file of credentials."""

TLS_PORT, CLEAR_PORT = 4411, 4410
_FORMS = (
    'give "host:4411" (port 4411 is encrypted, other ports are not), grpcs://host:port with encryption, '
    "or grpc://host:port without"
)
_NOT_IN_A_HOST = frozenset("@/?#[] \t\n")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server, and the key to use there. `repr` does not show the key.

    Attributes:
        host: a name or an address; IPv6 without brackets.
        port: 1 to 65535.
        tls: True to verify the server against the usual authorities, the path of a bundle of authorities, an
            SSLContext, or False for no encryption.
        key: the API key; None for none.
    """

    host: str
    port: int
    tls: Any = False
    key: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'grpcs' if self.tls else 'grpc'}://{host}:{self.port}"


def parse_endpoint(text: Any, key: str | None = None) -> Endpoint:
    """Parse an address: "host:port", "host", "[::1]:4410", grpc://host:port or grpcs://host:port.

    Without a scheme, port 4411 means TLS, and a host without a port is at 4411. A key may stand before the
    host of a URL, as in grpcs://KEY@host. BTRDB_CA_BUNDLE names the authorities, if it is set.

    Raises:
        ConfigurationError: it is nothing of this. The message shows no part that could be a secret.
    """
    text = resolve(text)
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(f"an endpoint is text, not {type(text).__name__}; {_FORMS}")
    scheme, found, rest = text.strip().partition("://")
    if not found:
        scheme, rest = "", text.strip()
    if scheme not in ("", "grpc", "grpcs"):
        raise _bad("its scheme is neither grpc nor grpcs")
    before, _, address = rest.rpartition("@")
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad("its host or its port cannot be read") from None
    if not scheme and before:
        raise _bad("a key may stand in a URL only")
    if not host or parts.path.strip("/") or parts.query or parts.fragment or port == 0 or not _is_host(host):
        raise _bad("it has no host, or more than a host and a port")
    if port is None:
        port = CLEAR_PORT if scheme == "grpc" else TLS_PORT
    is_encrypted = scheme == "grpcs" or (not scheme and port == TLS_PORT)
    tls: bool | str = (os.environ.get("BTRDB_CA_BUNDLE") or True) if is_encrypted else False
    key = key or (unquote(before) if before else None)
    if key is not None and not (key.isascii() and key.isprintable()):
        raise ConfigurationError("the API key has characters that cannot be sent in a header")
    return Endpoint(host, port, tls, key)


def find_endpoint(profile: str | None, endpoint: Any, apikey: Any) -> Endpoint:
    """The endpoint that arguments, environment and file of credentials name.

    A profile that is asked for is used alone. Else endpoint and key are each taken from the first that has
    them: the arguments; BTRDB_ENDPOINTS and BTRDB_API_KEY; the profile in BTRDB_PROFILE, or "default".

    Raises:
        InvalidInput: there is both a profile and an endpoint.
        ConnectionError: nothing names an endpoint. The message lists the places.
        CredentialsFileNotFound, ProfileNotFound: as `credentials_by_profile`.
    """
    profile, endpoint, apikey = resolve(profile), resolve(endpoint), resolve(apikey)
    if profile is not None and endpoint is not None:
        raise InvalidInput("give a profile or an endpoint, not both")
    found = credentials_by_profile(profile) if profile is not None else credentials(endpoint, apikey)
    if profile is not None and apikey is not None:
        found["apikey"] = apikey
    if not found.get("endpoints"):
        raise ConnectionError(
            "no BTrDB endpoint found. Looked at: the argument endpoint=; the environment variable "
            f"BTRDB_ENDPOINTS; the profile in {CREDENTIALS}. Give one of them, as 'host:4411'"
        )
    return parse_endpoint(found["endpoints"], found.get("apikey") or None)


def credentials(endpoints: str | None = None, apikey: str | None = None) -> dict[str, str]:
    """Endpoint and key by the arguments, else by the environment, else by the file of credentials.

    Returns:
        A dict with "endpoints" and "apikey", as far as there are any.
    """
    profile = os.environ.get("BTRDB_PROFILE")
    found = credentials_by_profile(profile) if profile or CREDENTIALS.expanduser().exists() else {}
    for name, given, variable in (
        ("endpoints", endpoints, "BTRDB_ENDPOINTS"),
        ("apikey", apikey, "BTRDB_API_KEY"),
    ):
        value = given or os.environ.get(variable)
        if value:
            found[name] = value
    return found


def credentials_by_profile(name: str | None = None) -> dict[str, str]:
    """Endpoint and key of a profile in the file of credentials.

    Args:
        name: the profile; None for the one in BTRDB_PROFILE, or "default".

    Raises:
        CredentialsFileNotFound: there is no file.
        ProfileNotFound: it has no such profile. A missing "default" is empty.
        ConfigurationError: it cannot be read.
    """
    name = name or os.environ.get("BTRDB_PROFILE") or "default"
    profiles = _read(CREDENTIALS.expanduser())
    if name not in profiles:
        if name == "default":
            return {}
        known = ", ".join(map(str, profiles)) or "none"
        raise ProfileNotFound(f"{CREDENTIALS} has no profile {name!r}; its profiles are: {known}")
    entry = profiles[name]
    settings = entry.get("btrdb", {}) if isinstance(entry, Mapping) else None
    if not isinstance(settings, Mapping):
        raise ConfigurationError(
            f"{CREDENTIALS}: the profile {name!r} should have the lines 'btrdb:' and below"
        )
    names = {"endpoints": "endpoints", "api_key": "apikey", "apikey": "apikey"}
    return {names[key]: str(value) for key, value in settings.items() if key in names and value}


def _read(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CredentialsFileNotFound(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}") from None
    try:
        import yaml
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"reading {path} needs the package pyyaml; run: pip install 'flowthings_like[streams]'"
        ) from None
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # The exception's own text would quote the line, which may hold the key.
        raise ConfigurationError(f"{path} is not a YAML file ({type(error).__name__})") from None
    if not isinstance(found or {}, dict):
        raise ConfigurationError(f"{path} should have profiles by their names")
    return dict(found or {})


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return bool(IPv6Address(host))
        except ValueError:
            return False
    return _NOT_IN_A_HOST.isdisjoint(host) and host.isprintable()


def _bad(what: str) -> ConfigurationError:
    return ConfigurationError(f"the endpoint is of no use: {what}; {_FORMS}")
