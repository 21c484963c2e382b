"""Open asyncpg connections as libpq opens its own: host after host, each with its own password."""

from __future__ import annotations

import os
import random
import re
import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import asyncpg

from invoicing.db.libpq import home
from invoicing.db.url import DEFAULT_FOLDERS, escaped_option, hosts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import URL

    from invoicing.db.url import Host

# What asyncpg takes in its own DSN only.
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation")
_VERSIONS = ("ssl_min_protocol_version", "ssl_max_protocol_version")
_READ_ONLY = "default_transaction_read_only"
# Variables that libpq hands to the server, each as a setting.
_SETTINGS = {"PGTZ": "timezone", "PGDATESTYLE": "datestyle", "PGGEQO": "geqo"}
# What makes libpq try the next host; everything else a server says is its last word.
_NEXT = (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched)


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that ends without complaint when the server has ended it already.

    Otherwise a pool that is closed after its server died logs the driver's traceback.
    """

    __slots__ = ()

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- the base's
        """Close it; where no server listens any more, there is none to say goodbye to."""
        with suppress(ConnectionError, asyncpg.InternalClientError):
            await super().close(timeout=timeout)

    def keep_alive(self, parameters: Mapping[str, str]) -> None:
        """Set what libpq's `keepalives` and `tcp_user_timeout` ask for; 0 leaves the system's."""
        wire = self._transport.get_extra_info("socket")
        if wire is None or wire.family == socket.AF_UNIX:
            return
        kept = int(parameters.get("keepalives", 1))
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(kept != 0))
        for name, option in (
            ("keepalives_idle", "TCP_KEEPIDLE"),
            ("keepalives_interval", "TCP_KEEPINTVL"),
            ("keepalives_count", "TCP_KEEPCNT"),
            ("tcp_user_timeout", "TCP_USER_TIMEOUT"),
        ):
            value = int(parameters.get(name, 0))
            if value > 0 and hasattr(socket, option) and (kept or option == "TCP_USER_TIMEOUT"):
                wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


async def connect(
    url: URL, settings: Mapping[str, str], pinned: Mapping[str, str], **keywords: Any
) -> Connection:
    """Return a connection to the first server of a parsed `url` that takes it.

    Args:
        url: a URL that `parse_url` has returned.
        settings: server settings over those of the role; the URL's `options` win over them.
        pinned: those that win over the URL's.
        keywords: more for `asyncpg.connect`; `timeout` is for each host.
    """
    parameters = {name: str(value) for name, value in url.query.items()}
    keywords["timeout"] = _timeout(parameters, keywords.get("timeout"))
    wanted = parameters.get("target_session_attrs", "any")
    at_connect, read_only = dict(settings), None
    if wanted in {"read-write", "read-only"}:
        # The driver takes a server for read-only when its sessions are: ours are only later.
        read_only = at_connect.pop(_READ_ONLY, None)
    keywords["server_settings"] = _server_settings(parameters, at_connect) | dict(pinned)
    failures: list[tuple[Host, BaseException]] = []
    for host, attribute in _attempts(hosts_of(url), parameters, wanted):
        arguments = _arguments(url, host, parameters)
        try:
            connection: Connection = await asyncpg.connect(
                **arguments, **keywords, connection_class=Connection, target_session_attrs=attribute
            )
        except _NEXT as error:
            failures.append((host, _in_libpqs_words(error, wanted)))
            continue
        if read_only is not None:
            await connection.execute(f"SET {_READ_ONLY} = '{read_only}'")
        connection.keep_alive(parameters)
        return connection
    if len(failures) == 1:
        raise failures[0][1]
    reasons = (f"{host.name} port {host.port}: {error}" for host, error in failures)
    raise ConnectionError("; ".join(reasons))


def _in_libpqs_words(error: BaseException, wanted: str) -> BaseException:
    if not isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return error
    # The driver names a value of its own enumeration, not what the URL says.
    return ConnectionError(f"the server is not {wanted}, which target_session_attrs asks for")


def _attempts(
    hosts: list[Host], parameters: Mapping[str, str], wanted: str
) -> Iterator[tuple[Host, str]]:
    if parameters.get("load_balance_hosts") == "random":
        hosts = random.sample(hosts, len(hosts))
    for attribute in ("standby", "any") if wanted == "prefer-standby" else (wanted,):
        for host in hosts:
            yield host, attribute


def _arguments(url: URL, host: Host, parameters: Mapping[str, str]) -> dict[str, Any]:
    # All are given, so that the driver asks neither the environment nor its own defaults.
    password = url.password or _password(url, host, parameters)
    arguments: dict[str, Any] = {
        "host": host.address or host.name,
        "port": host.port,
        "user": url.username,
        "password": str(password),
        "database": url.database,
        "krbsrvname": parameters.get("krbsrvname"),
        "gsslib": parameters.get("gsslib"),
        "direct_tls": False,
    }
    if host.is_socket:
        return arguments | {"ssl": False}
    tls = {name: parameters[name] for name in _TLS + _VERSIONS if parameters.get(name)}
    arguments["direct_tls"] = tls.pop("sslnegotiation", "") == "direct"
    if tls.get("sslrootcert") == "system":
        return arguments | {"ssl": _system_context(tls)}
    tls.setdefault("sslmode", "prefer")
    return arguments | {"dsn": f"postgresql://?{urlencode(tls)}"}


def _system_context(tls: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that trusts who the system trusts, and verifies the host's name."""
    context = ssl.create_default_context(cafile=None)
    context.set_alpn_protocols(["postgresql"])
    for name, bound in (("min", "minimum_version"), ("max", "maximum_version")):
        version = tls.get(f"ssl_{name}_protocol_version")
        if version:
            setattr(context, bound, ssl.TLSVersion[version.replace(".", "_")])
    if "sslcert" in tls:
        context.load_cert_chain(tls["sslcert"], tls.get("sslkey"))
    if "sslcrl" in tls:
        context.load_verify_locations(tls["sslcrl"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    return context


def _timeout(parameters: Mapping[str, str], default: float | None) -> float | None:
    if "connect_timeout" not in parameters:
        return default
    seconds = int(parameters["connect_timeout"])
    return max(seconds, 2) if seconds > 0 else None  # libpq takes 1 for 2


def _server_settings(parameters: Mapping[str, str], settings: dict[str, str]) -> dict[str, str]:
    stated = {name: os.environ.get(variable, "") for variable, name in _SETTINGS.items()}
    found = {name: value for name, value in stated.items() if value} | settings
    fallback = parameters.get("fallback_application_name") or found.get("application_name", "")
    found["application_name"] = parameters.get("application_name", fallback)
    options = parameters.get("options")
    if options:
        # The server takes the last of several: ours stand before the user's, except the one that
        # makes a session read-only.
        ours = {name for name in settings if name not in {"application_name", _READ_ONLY}}
        before = "".join(f"-c {name}={escaped_option(found.pop(name))} " for name in sorted(ours))
        found["options"] = before + options
    return found


def _password(url: URL, host: Host, parameters: Mapping[str, str]) -> str:
    """Return the password that the password file has for `host`, as libpq finds it; else ""."""
    given = parameters.get("passfile")
    path = Path(given) if given else home() / ".pgpass"
    name = host.name
    if name in DEFAULT_FOLDERS:
        name = "localhost"
    wanted = [name, str(host.port), url.database or "", url.username or ""]
    try:
        found = path.stat()
        # libpq reads a plain file only, and one that other users cannot.
        if not stat.S_ISREG(found.st_mode) or (os.name != "nt" and found.st_mode & 0o077):
            return ""
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return ""
    for line in lines:
        fields = re.findall(r"(?:^|:)((?:\\.|[^:\\])*)", line)
        if line.startswith("#") or len(fields) < len(wanted) + 1:
            continue
        *places, password = (re.sub(r"\\(.)", r"\1", field) for field in fields[:5])
        raw = fields[:4]
        pairs = zip(raw, places, wanted, strict=True)
        if all(field == "*" or place == want for field, place, want in pairs):
            return password
    return ""
