"""Credentials: the Token class, and the search for settings in the environment and in profile files."""

from __future__ import annotations

import configparser
import json
import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigurationError, FlowThingsError

__all__ = ["Token", "credentials_of", "find_settings", "profile_names"]

_OPTIONS = (
    "account",
    "token",
    "host",
    "ws_host",
    "secure",
    "version",
    "timeout",
    "max_response_bytes",
    "things",
    "db",
    "streams",
    "streams_key",
    "records",
)
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """An account and its secret token, which every request carries.

    Args:
        account: the account's name, which is the first segment of its paths.
        token: the secret. `repr()` leaves it out; pickling keeps it.

    Raises:
        ConfigurationError: one of the two is empty, is not a str, or cannot be sent in an HTTP header.
    """

    account: str
    token: str

    def __post_init__(self) -> None:
        for name, value in (("account", self.account), ("token", self.token)):
            if not isinstance(value, str) or not value:
                raise ConfigurationError(f"Token: {name} must be a non-empty str")
            if not value.isprintable() or " " in value or not _fits_header(value):
                raise ConfigurationError(
                    f"Token: {name} has characters that cannot be sent in an HTTP header"
                )

    def __repr__(self) -> str:
        return f"Token({self.account!r}, '…')"

    @staticmethod
    def from_bluemix(default: Any = None, env_var: str = "VCAP_SERVICES") -> Any:
        """The Token in the environment of IBM Bluemix (Cloud Foundry).

        The variable holds JSON: `{"flowthings": [{"credentials": {"account": …, "token": …}}]}`.

        Args:
            default: the value to return if the variable has no token.
            env_var: the environment variable to read.

        Raises:
            ConfigurationError: the variable has no token, and there is no default.
        """
        for entry in _bluemix_entries(os.environ.get(env_var, "")):
            return entry
        if default is not None:
            return default
        raise ConfigurationError(
            f"no flowthings credentials in the environment variable {env_var}; it should hold "
            '{"flowthings": [{"credentials": {"account": …, "token": …}}]}'
        )


def _fits_header(value: str) -> bool:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _bluemix_entries(text: str) -> Iterator[Token]:
    """The Tokens of services whose names begin with "flowthings". Malformed entries are skipped."""
    try:
        services = json.loads(text)
    except ValueError:
        return
    if not isinstance(services, dict):
        return
    for name in sorted(services, key=lambda name: name != "flowthings"):
        for entry in services[name] if name.startswith("flowthings") else ():
            found = entry.get("credentials") if isinstance(entry, dict) else None
            if isinstance(found, dict):
                try:
                    yield Token(found.get("account", ""), found.get("token", ""))
                except FlowThingsError:
                    continue


def credentials_of(creds: Any) -> Any:
    """Return `creds` if it is a Token, or any other object with `account` and `token`.

    Raises:
        ConfigurationError: it is anything else. The message says what to write.
    """
    if isinstance(creds, Token):
        return creds
    account, token = getattr(creds, "account", None), getattr(creds, "token", None)
    if isinstance(account, str) and isinstance(token, str):
        Token(account, token)
        return creds
    given = "None" if creds is None else f"a {type(creds).__name__}"
    raise ConfigurationError(
        f'credentials are {given}; write API(Token("account", "token")), '
        "or API.connect() to take them from the environment or a profile file"
    )


def find_settings(profile: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options for an API, from the arguments, the environment and a profile file, in this order.

    The environment variables are called FLOWTHINGS_ and the option in upper case. FLOWTHINGS_PROFILE names
    the profile, and FLOWTHINGS_CREDENTIALS the file, an INI file with a section for each profile. A profile
    that is an argument of the call comes before the environment, because it was chosen in the call.

    Raises:
        ConfigurationError: no place has an account or a token. The message lists the places.
    """
    path = _profile_file()
    section = profile or os.environ.get("FLOWTHINGS_PROFILE") or "default"
    from_file = _read_profile(path, section, required=bool(profile or os.environ.get("FLOWTHINGS_PROFILE")))
    from_environment = {
        name: value for name in _OPTIONS if (value := os.environ.get(f"FLOWTHINGS_{name.upper()}"))
    }
    places = [from_file, from_environment] if profile else [from_environment, from_file]
    settings: dict[str, Any] = {}
    for place in reversed(places):
        settings.update(place)
    settings.update({name: value for name, value in given.items() if value is not None})
    for name in ("account", "token"):
        if not settings.get(name):
            raise ConfigurationError(
                f"no {name} found. Looked at: the arguments account= and token=; the environment variables "
                "FLOWTHINGS_ACCOUNT and FLOWTHINGS_TOKEN; "
                f"the profile [{section}] in {path} ({_state(path, section)}). "
                f"Give one of them, for instance the lines '[{section}]', 'account = …' and 'token = …' "
                "in that file."
            )
    if isinstance(settings.get("secure"), str):
        settings["secure"] = _boolean("secure", settings["secure"])
    if isinstance(settings.get("timeout"), str):
        settings["timeout"] = _number("timeout", settings["timeout"])
    if isinstance(settings.get("max_response_bytes"), str):
        settings["max_response_bytes"] = _whole("max_response_bytes", settings["max_response_bytes"])
    return settings


def profile_names() -> list[str]:
    """The profiles in the profile file. None if there is no such file, or it cannot be read."""
    parser = _new_parser()
    try:
        parser.read(_profile_file(), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return []
    return parser.sections()


def _profile_file() -> Path:
    return Path(os.environ.get("FLOWTHINGS_CREDENTIALS") or Path.home() / ".flowthings" / "credentials")


def _new_parser() -> configparser.ConfigParser:
    return configparser.ConfigParser(interpolation=None, default_section="\0none")


def _read_profile(path: Path, section: str, *, required: bool) -> dict[str, str]:
    parser = _new_parser()
    try:
        with path.open(encoding="utf-8") as lines:
            mode = stat.S_IMODE(os.fstat(lines.fileno()).st_mode)
            parser.read_file(lines, source=str(path))
    except FileNotFoundError:
        if required:
            raise ConfigurationError(
                f"profile [{section}] was asked for, but there is no file {path}"
            ) from None
        return {}
    except (configparser.Error, UnicodeDecodeError) as error:
        # The exception's own text would quote the line, which may hold the token.
        raise ConfigurationError(f"{path} is not an INI file ({type(error).__name__})") from None
    if mode & 0o077 and os.name == "posix":
        warnings.warn(f"{path} can be read by others; run: chmod 600 {path}", UserWarning, stacklevel=4)
    if not parser.has_section(section):
        if required:
            known = ", ".join(f"[{name}]" for name in parser.sections()) or "none"
            raise ConfigurationError(f"{path} has no profile [{section}]; its profiles are: {known}")
        return {}
    found = dict(parser.items(section))
    unknown = sorted(set(found) - set(_OPTIONS))
    if unknown:
        raise ConfigurationError(
            f"{path}, [{section}]: unknown {', '.join(unknown)}; known are {', '.join(_OPTIONS)}"
        )
    return found


def _state(path: Path, section: str) -> str:
    return f"exists, without account and token in [{section}]" if path.exists() else "no such file"


def _boolean(name: str, text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ConfigurationError(f"{name} is {text!r}; write true or false")


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"{name} is {text!r}; write a number of seconds") from None


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"{name} is {text!r}; write a whole number of bytes") from None
