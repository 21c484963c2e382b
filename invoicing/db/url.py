"""Database URLs: any connection string of PostgreSQL in, one URL that all read alike out.

What libpq would look up when it connects (the service, the environment, the user's name) is looked
up here, once: the URL that comes out names its database, its user and its server by itself.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy.engine import URL

from invoicing.db.libpq import add_parameter, completed, malformed, parse_keywords, parse_uri
from invoicing.errors import UsageError
from invoicing.settings import Settings

_POSTGRES = frozenset(
    {"postgres", "postgresql"}
    | {f"postgresql+{driver}" for driver in ("asyncpg", "psycopg", "psycopg2", "psycopg_async")}
)
DRIVER = "postgresql+asyncpg"
DEFAULT_PORT = 5432
DEFAULT_FOLDERS = ("/var/run/postgresql", "/tmp")  # noqa: S108 -- where libpq looks for a socket


class Host(NamedTuple):
    """A server that a URL names.

    Attributes:
        name: its name or address, or the folder of its socket.
        address: the address to connect to in place of the name; empty for none.
        port: its port.
    """

    name: str
    address: str
    port: int

    @property
    def is_socket(self) -> bool:
        """Whether `name` is the folder of a Unix socket."""
        return not self.address and self.name.startswith("/")


def parse_url(text: str | URL) -> URL:
    """Return `text` as a `postgresql+asyncpg://` URL; its repr masks the password.

    SQLAlchemy 2.1 takes plain `postgresql://` to mean psycopg, so the driver is set here. Every
    parameter is read as libpq reads it; several hosts are in the URL's query.

    Args:
        text: a URI, a `host=... dbname=...` string, or a URL that has been parsed.

    Raises:
        UsageError: it is no URL, not one of PostgreSQL, or has a parameter that is unknown, or
            that asyncpg cannot follow.
    """
    given = _of_url(text) if isinstance(text, URL) else _of_text(text.strip())
    # One of ours is complete: the embedded server's knows no service and no variable.
    parameters = given if isinstance(text, URL) and _is_complete(text) else completed(given)
    hosts = _hosts(parameters)
    user = parameters.pop("user", "") or _user_name()
    password = parameters.pop("password", "") or None
    database = parameters.pop("dbname", "") or user
    stated = bool(parameters.pop("port", "")) or "PGPORT" in os.environ
    parameters = {name: parameters[name] for name in parameters if not name.startswith("host")}
    _check_tls(parameters, hosts)
    url = _located(hosts, port=stated)
    query = dict(url.query) | parameters
    return url.set(username=user, password=password, database=database, query=query)


def socket_url(folder: str, port: int, user: str, database: str) -> URL:
    """Return the URL of a server at its socket; no variable of the environment leads elsewhere."""
    located = _located([Host(folder, "", port)], port="PGPORT" in os.environ)
    return located.set(username=user, database=database)


def libpq_url(url: URL, *, password: bool) -> str:
    """Return `url` as psql takes it, with its password or without.

    SQLAlchemy writes a space as a plus sign, which libpq takes for a plus sign.
    """
    url = parse_url(url)
    login = quote(url.username or "", safe="")
    if password and url.password:
        login += f":{quote(str(url.password), safe='*')}"
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
    port = f":{url.port}" if url.port else ""
    query = "&".join(f"{name}={quote(str(url.query[name]), safe='/,')}" for name in url.query)
    path = quote(url.database or "", safe="")
    return f"postgresql://{login}@{host}{port}/{path}{'?' if query else ''}{query}"


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def escaped_option(value: str) -> str:
    """Return a value as it stands among the `options` of a connection."""
    return re.sub(r"([\\\s])", r"\\\1", value)


def sets_schema(url: URL) -> bool:
    """Tell whether a URL says itself where names are looked up."""
    return "search_path" in str(url.query.get("options", ""))


def in_schema(url: URL, schema: str | None) -> URL:
    """Return the URL that opens its database in a schema, for a program that knows the URL only."""
    if schema is None or sets_schema(url):
        return url
    return _with_path(url, quoted(schema))


def beside(url: URL, database: str) -> URL:
    """Return the URL of another database of the server; INVOICING_SCHEMA is of this one only."""
    other = url.set(database=database)
    is_ours = sets_schema(url) or Settings.read().database_schema is not None
    return _with_path(other, "public") if is_ours else other


def _with_path(url: URL, path: str) -> URL:
    options = f"{url.query.get('options', '')} -c search_path={escaped_option(path)}".strip()
    return url.update_query_dict({"options": options})


def shown_url(url: URL) -> str:
    """Return `url` as it may be shown, and copied: its password is three stars."""
    masked = url.set(password="*" * 3) if url.password else url
    return libpq_url(masked, password=True)


def hosts_of(url: URL) -> list[Host]:
    """Return the servers that a parsed URL names, in its order."""
    given = {name: str(value) for name, value in url.query.items()}
    if url.host:
        given |= {"host": url.host, "port": str(url.port or "")}
    return _hosts(given)


def _of_text(text: str) -> dict[str, str]:
    scheme, separator, rest = text.partition("://")
    if separator and re.fullmatch(r"[\w+.-]+", scheme):
        _check_scheme(scheme)
        return parse_uri(rest)
    if "=" in text:
        return parse_keywords(text)
    raise malformed("it has no scheme")


def _is_complete(url: URL) -> bool:
    named = url.username and url.database and (url.host or "host" in url.query)
    return bool(named and url.drivername == DRIVER and "service" not in url.query)


def _of_url(url: URL) -> dict[str, str]:
    _check_scheme(url.drivername)
    parts = {"user": url.username, "password": url.password, "dbname": url.database}
    parts |= {"host": url.host, "port": str(url.port or "")}
    found = {name: str(value) for name, value in parts.items() if value}
    query: dict[str, str] = {}
    for name, value in url.query.items():
        add_parameter(query, name, value if isinstance(value, str) else value[-1])
    return found | query


def _check_scheme(scheme: str) -> None:
    if scheme not in _POSTGRES:
        message = (
            f"DATABASE_URL names {scheme}, and invoicing works on PostgreSQL through asyncpg only. "
            "It must begin with postgresql://"
        )
        raise UsageError(message)


def _hosts(parameters: dict[str, str]) -> list[Host]:
    """Return what the parameters host, hostaddr and port mean, each a list of the same length."""
    names = parameters.get("host", "").split(",")
    addresses = parameters.get("hostaddr", "").split(",")
    ports = parameters.get("port", "").split(",")
    if parameters.get("hostaddr"):
        names = names if parameters.get("host") else [""] * len(addresses)
    else:
        addresses = [""] * len(names)
    if len(ports) == 1:
        ports *= len(names)
    if not len(names) == len(addresses) == len(ports):
        message = (
            f"DATABASE_URL has {len(names)} hosts, {len(addresses)} addresses and {len(ports)} "
            "ports: there has to be one port, or as many as hosts"
        )
        raise UsageError(message)
    if any(name.startswith("@") for name in names):
        message = "DATABASE_URL names an abstract socket, which asyncpg cannot open"
        raise UsageError(message)
    found = []
    for name, address, text in zip(names, addresses, ports, strict=True):
        port = int(text) if text.strip() else DEFAULT_PORT
        found.append(Host(name or address or _socket_folder(port), address, port))
    return found


def _located(hosts: list[Host], *, port: bool) -> URL:
    """Return a URL of `hosts`, and of nothing else: with the default port too, if `port`."""
    query: dict[str, str] = {}
    if any(host.address != host.name for host in hosts if host.address):
        query["hostaddr"] = ",".join(host.address for host in hosts)
    elif os.environ.get("PGHOSTADDR"):
        query["hostaddr"] = ""  # says that the variable does not count here
    first, *others = hosts
    port = port or bool(others) or first.port != DEFAULT_PORT
    if not others and re.fullmatch(r"[\w.-]+|[0-9A-Fa-f:.]+", first.name):
        number = first.port if port else None
        return URL.create(DRIVER, host=first.name, port=number, query=query)
    query["host"] = ",".join(host.name for host in hosts)
    if port:
        query["port"] = ",".join(str(host.port) for host in hosts)
    return URL.create(DRIVER, query=query)


def _socket_folder(port: int) -> str:
    """Return the folder that libpq was built with: Debian's and Red Hat's, or PostgreSQL's own."""
    if os.name == "nt":
        return "localhost"
    folders = [Path(folder) for folder in DEFAULT_FOLDERS]
    for folder in folders:
        if (folder / f".s.PGSQL.{port}").exists():
            return str(folder)
    return str(next((folder for folder in folders if folder.is_dir()), folders[-1]))


def _user_name() -> str:
    """Return the name of the system's user; LOGNAME and the like do not count."""
    if os.name == "nt":
        return os.environ.get("USERNAME", "")
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        message = f"DATABASE_URL names no user, and user id {os.geteuid()} has no name here"
        raise UsageError(message) from None


def _check_tls(parameters: dict[str, str], hosts: list[Host]) -> None:
    if parameters.get("sslrootcert") == "system":
        parameters.setdefault("sslmode", "verify-full")
        _require("verify-full", parameters, "sslrootcert=system")
    if parameters.get("sslnegotiation") == "direct":
        _require("require verify-ca verify-full", parameters, "sslnegotiation=direct")
    tcp = [host for host in hosts if not host.is_socket]
    if parameters.get("sslmode") == "verify-full" and any(host.address for host in tcp):
        message = (
            "DATABASE_URL has hostaddr with sslmode=verify-full, and asyncpg would verify the "
            "address, not the host's name. Give the name alone, as host"
        )
        raise UsageError(message)
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl") if tcp else ():
        path = parameters.get(name)
        if path and path != "system" and not os.access(path, os.R_OK):
            message = f"DATABASE_URL's {name} cannot be read: there is no readable file {path}"
            raise UsageError(message)


def _require(modes: str, parameters: dict[str, str], what: str) -> None:
    if parameters.get("sslmode") not in modes.split():
        message = f"DATABASE_URL has {what}, which needs sslmode={modes.replace(' ', ' or ')}"
        raise UsageError(message)
