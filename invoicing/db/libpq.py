"""What libpq makes of a connection string: its two grammars, service files and the environment.

A parameter is taken from the string, else from its service, else from the environment, as libpq
does. What asyncpg cannot do is refused by its name, so that no connection is ever weaker, or leads
elsewhere, than the string says. What is not done: LDAP look-ups in service files.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from invoicing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_PLAIN = frozenset(
    {"host", "hostaddr", "port", "dbname", "user", "password", "passfile", "service"}
    | {"servicefile", "options", "application_name", "fallback_application_name", "krbsrvname"}
    | {"sslrootcert", "sslcert", "sslkey", "sslcrl"}
)
_NUMBERS = frozenset(
    {"connect_timeout", "tcp_user_timeout", "keepalives"}
    | {f"keepalives_{name}" for name in ("idle", "interval", "count")}
)
_TLS = ("", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_LAST_PORT = 65_535
_CHOICES: dict[str, tuple[str, ...]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _TLS,
    "ssl_max_protocol_version": _TLS,
    "target_session_attrs": _words("any read-write read-only primary standby prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    "gsslib": ("gssapi", "sspi"),
}
# Parameters that asyncpg lacks, with the values that ask for nothing it does not do anyway.
_HARMLESS: dict[str, tuple[str, ...]] = {
    "channel_binding": ("disable", "prefer"),
    "client_encoding": ("auto", "utf8", "utf-8", "unicode"),
    "gssencmode": ("disable", "prefer"),
    "gssdelegation": ("0",),
    "max_protocol_version": ("", "3.0", "latest"),
    "min_protocol_version": ("", "3.0"),
    "replication": ("", "false", "off", "no", "0"),
    "sslcertmode": ("allow",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
} | dict.fromkeys(
    _words(
        "oauth_client_id oauth_client_secret oauth_issuer oauth_scope require_auth requirepeer "
        "scram_client_key scram_server_key sslcrldir sslkeylogfile sslpassword"
    ),
    ("",),
)
_KNOWN = _PLAIN | _NUMBERS | _CHOICES.keys() | _HARMLESS.keys()
# Not PGCLIENTENCODING: the driver speaks UTF-8, whatever the terminal does.
_ENVIRONMENT = {
    f"PG{name.upper().replace('_', '')}": name
    for name in _words(
        "host hostaddr port user password passfile options channel_binding gssencmode "
        "gssdelegation gsslib krbsrvname requirepeer require_auth sslmode sslnegotiation "
        "sslcompression sslcert sslkey sslcertmode sslrootcert sslcrl sslcrldir sslsni "
        "ssl_min_protocol_version ssl_max_protocol_version min_protocol_version "
        "max_protocol_version target_session_attrs load_balance_hosts"
    )
} | {
    "PGDATABASE": "dbname",
    "PGAPPNAME": "application_name",
    "PGCONNECT_TIMEOUT": "connect_timeout",
}


def parse_uri(text: str) -> dict[str, str]:
    """Return the parameters of `text`, what follows `postgresql://` in a URI, as libpq reads it."""
    found: dict[str, str] = {}
    login = re.match(r"([^@/]*)@", text)
    if login:
        user, _, password = login.group(1).partition(":")
        found |= {"user": user, "password": password}
        text = text[login.end() :]
    hosts = []
    ports = []
    while True:
        host = re.match(r"(?:\[([^]]+)\](?=[:/?,]|$)|([^:/?,\[]*))(?::([^/?,]*))?", text)
        if host is None:  # the pattern fits nothing at all, too
            break
        hosts.append(host.group(1) or host.group(2) or "")
        ports.append(host.group(3) or "")
        text = text[host.end() :]
        if not text.startswith(","):
            break
        text = text[1:]
    if any("@" in host for host in hosts):
        # libpq would look for such a host, and show what most likely is part of a password.
        raise malformed("its user or password has an '@' of its own (write %40)")
    if text and text[0] not in "/?":
        raise malformed("its host is not one")
    found |= {"host": ",".join(hosts), "port": ",".join(ports)}
    path, _, query = text.partition("?")
    found["dbname"] = path.removeprefix("/")
    found = {name: _decoded(value) for name, value in found.items() if value}
    return found | _query(query)


def _query(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, separator, value = (_decoded(part) for part in pair.partition("="))
        if not separator or "=" in pair.partition("=")[2]:
            raise malformed(f"after its parameter {name!r} there has to be one '=' (write %3D)")
        add_parameter(found, name, value)
    return found


def add_parameter(found: dict[str, str], name: str, value: str) -> None:
    """Add a parameter to those `found` before it in the same place: the last one counts."""
    if name == "ssl":  # as JDBC and asyncpg write it
        name, value = "sslmode", {"true": "require"}.get(value, value)
    found[name] = value


def parse_keywords(text: str) -> dict[str, str]:
    r"""Return the parameters of a `name=value name='a \'quoted\' value'` string."""
    found: dict[str, str] = {}
    value = r"(?:'((?:\\.|[^'\\])*)'|((?:\\.|[^\s\\'])*))(?=\s|$)"
    pattern = re.compile(rf"\s*(\w+)\s*=\s*{value}", re.DOTALL)
    place = 0
    while text[place:].strip():
        pair = pattern.match(text, place)
        if pair is None:
            raise malformed("after each name there has to be '=' and a value")
        value = pair.group(2) if pair.group(2) is not None else pair.group(3)
        add_parameter(found, pair.group(1), re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL))
        place = pair.end()
    return found


def completed(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters `given` with those of their service and of the environment.

    Raises:
        UsageError: one is unknown, has a value it cannot have, or asks for what asyncpg lacks.
    """
    _check(given, "DATABASE_URL")
    found = dict(given)
    service = found.pop("service", "") or os.environ.get("PGSERVICE", "")
    file = found.pop("servicefile", "")
    if service:
        of_service = _service(service, file)
        _check(of_service, f"The service {service!r}")
        found = of_service | found
    for variable, name in _ENVIRONMENT.items():
        value = os.environ.get(variable)
        if value and name not in found:
            _check({name: value}, f"{variable} of the environment")
            found[name] = value
    if os.environ.get("PGREQUIRESSL", "").startswith("1"):
        found.setdefault("sslmode", "require")
    return found


def malformed(reason: str) -> UsageError:
    """Return the error of a connection string that cannot be read: it never shows the string."""
    # The text itself stays out of the message: it may hold a password.
    return UsageError(
        f"DATABASE_URL is not a database URL: {reason}. It must look like "
        "postgresql://user:password@host:5432/database, other characters written as %40"
    )


def _decoded(text: str) -> str:
    if "%00" in text:
        raise malformed("it has %00, a NUL character, which no part of it can hold")
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise malformed("a '%' in it is not followed by the two digits of a character (write %25)")
    return unquote(text)


def _check(given: Mapping[str, str], origin: str) -> None:
    for name, value in given.items():
        if name not in _KNOWN:
            close = difflib.get_close_matches(name, _KNOWN, 1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            message = f"{origin} has the parameter {name!r}, which libpq does not know{meant}"
            raise UsageError(f"{message} Take it out" if meant else f"{message}. Take it out")
        if name in _HARMLESS and value.lower() not in _HARMLESS[name]:
            able = " or ".join(repr(choice) for choice in _HARMLESS[name] if choice)
            message = (
                f"{origin} has the parameter {name!r}, and asyncpg cannot do what it asks for. "
                f"Nothing was connected. Take it out{f', or set it to {able}' if able else ''}"
            )
            raise UsageError(message)
        _check_value(name, value, origin)


def _check_value(name: str, value: str, origin: str) -> None:
    expected = ", ".join(choice for choice in _CHOICES.get(name, ()) if choice)
    if name in _NUMBERS and not re.fullmatch(r"\s*[+-]?\d{1,9}\s*", value):
        expected = "a whole number"
    elif name == "port" and not all(map(_is_port, value.split(","))):
        expected = "a number from 1 to 65535"
    elif name not in _CHOICES or value in _CHOICES[name]:
        return
    message = f"{origin} gives the parameter {name!r} a value it cannot have; expected: {expected}"
    raise UsageError(message)


def _is_port(text: str) -> bool:
    number = text.strip()
    return not number or (number.isascii() and number.isdigit() and 0 < int(number) <= _LAST_PORT)


def _service(name: str, file: str) -> dict[str, str]:
    for path in _service_files(file):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            continue
        section = _section(lines, name)
        if section is not None:
            return _service_parameters(section, path)
    message = (
        f"DATABASE_URL or PGSERVICE names the service {name!r}, and no service file defines it. "
        "libpq looks in PGSERVICEFILE or ~/.pg_service.conf, then in PGSYSCONFDIR"
    )
    raise UsageError(message)


def _service_files(given: str) -> Iterator[Path]:
    own = given or os.environ.get("PGSERVICEFILE")
    yield Path(own) if own else home() / ".pg_service.conf"
    # Where Debian's libpq looks; each system builds another folder in.
    yield Path(os.environ.get("PGSYSCONFDIR") or "/etc/postgresql-common", "pg_service.conf")


def home() -> Path:
    """Return the user's home folder; a folder that does not exist when there is none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def _section(lines: Iterable[str], name: str) -> list[str] | None:
    section: list[str] | None = None
    for line in map(str.strip, lines):
        if line.startswith("["):
            if section is not None:
                break
            section = [] if line.startswith(f"[{name}]") else None
        elif section is not None and line and not line.startswith("#"):
            section.append(line)
    return section


def _service_parameters(lines: Iterable[str], path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition("=")
        if not separator or name in {"service", "servicefile"}:
            message = f"cannot use the service file {path}: {name!r} is not a connection parameter"
            raise UsageError(message)
        found.setdefault(name, value)
    return found
