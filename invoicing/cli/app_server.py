"""The server of `invoicing app`: Voila, with an index of its own, that refuses who has no token."""

from __future__ import annotations

import html
import logging
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server import DEFAULT_STATIC_FILES_PATH
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, RequestHandler, authenticated
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.voila_identity_provider import VoilaIdentityProvider

from invoicing.cli.app_pages import PageLink

if TYPE_CHECKING:
    from jupyter_server.auth import User

# Seconds after which the kernel of a page that is not open any more ends, and between two looks.
_IDLE, _LOOK = 300, 30
_TEMPLATE = Path(__file__).parent / "app_template"
# What a board sends by itself is no sign of a reader.
_UNTRACKED = [
    *("comm_msg", "comm_open", "comm_close", "comm_info_request", "comm_info_reply"),
    *("kernel_info_request", "kernel_info_reply", "status", "stream", "error", "clear_output"),
    *("display_data", "update_display_data", "execute_input", "execute_result"),
]
_STYLE = """
:root { color-scheme: light dark; background: Canvas; color: CanvasText;
  font-family: system-ui, sans-serif; line-height: 1.5 }
main { max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
li { margin: 1rem 0 } a { font-size: 1.15rem }
"""
# Voila's pages have a theme each; this follows what the reader's system asks for.
_THEME = """
if (matchMedia("(prefers-color-scheme: dark)").matches)
  for (const link of document.querySelectorAll("main a")) link.search = "?theme=dark";
"""


class TokenProvider(VoilaIdentityProvider):  # type: ignore[misc]
    """Answers 403 where Voila would show a form to log in."""

    async def _get_user(self, handler: RequestHandler) -> User | None:
        user: User | None = await super()._get_user(handler)
        if user is None:
            handler.current_user = handler._jupyter_current_user = None  # type: ignore[attr-defined]  # noqa: SLF001
            raise HTTPError(403, reason="Forbidden without the token that invoicing app printed")
        return user


class Index(JupyterHandler):
    """The list of the pages; the token leaves the address once a cookie stands for it."""

    def initialize(self, page: str) -> None:
        """Take the page."""
        self._page = page

    @authenticated
    def get(self) -> None:
        """Show it."""
        if self.get_argument("token", ""):
            self.redirect(self.base_url)
            return
        self.set_header("Referrer-Policy", "no-referrer")
        self.finish(self._page)


class EndKernel(VoilaShutdownKernelHandler):  # type: ignore[misc]
    """Ends the kernel of a page that is left: a browser's beacon has no XSRF header.

    A page of another site may send a beacon as well, and is refused by its origin, as for every
    part of the API. Besides, the id of a kernel is random, and known to its own page alone.
    """

    def check_xsrf_cookie(self) -> None:
        """Ask for the login and the origin alone, which others do."""


class App(Voila):  # type: ignore[misc]
    """Voila on a folder of pages."""

    links: Sequence[PageLink] = ()
    note = ""

    def setup_template_dirs(self) -> None:
        """Look for a page's template among ours first."""
        super().setup_template_dirs()
        self.template_paths.insert(0, str(_TEMPLATE))

    def init_settings(self) -> dict[str, Any]:
        """Keep tokens out of the log, and end all logins with the server."""
        settings: dict[str, Any] = super().init_settings()
        settings |= {"log_function": _log, "cookie_secret": secrets.token_bytes(32)}
        return settings | {"static_path": DEFAULT_STATIC_FILES_PATH}  # its error pages need it

    def init_handlers(self) -> list[Any]:
        """Put the index before Voila's handlers, and leave out its list of files."""
        kept = [
            handler
            for handler in super().init_handlers()
            if not any(part in handler[0] for part in ("/voila/tree", "/api/contents", "/files/"))
        ]
        index = (self.server_url, Index, {"page": index_page(self.links, self.note)})
        end = (url_path_join(self.server_url, "/voila/api/shutdown/(.*)"), EndKernel)
        return [index, end, *kept]


def index_page(links: Sequence[PageLink], note: str) -> str:
    """Return the index as HTML."""
    items = "".join(
        f'<li><a href="voila/render/{link.name}.ipynb">{html.escape(link.title)}</a>'
        f"<br>{html.escape(link.summary)}</li>"
        for link in links
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Invoices</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>Invoices</h1><p>{html.escape(note)}</p>"
        f"<ul>{items}</ul></main><script>{_THEME}</script></body></html>"
    )


def serve(folder: Path, links: Sequence[PageLink], note: str, **where: Any) -> None:
    """Serve the pages until a signal ends it; every kernel ends with it.

    Args:
        folder: of the pages' notebooks.
        links: of the index.
        note: a sentence above them.
        where: `ip`, `port`, `token` (empty for none) and `base_url`.
    """
    App.clear_instance()
    own = {"open_browser": False, "port_retries": 0, "root_dir": str(folder)}
    own |= {"identity_provider_class": TokenProvider, "log_level": logging.CRITICAL}
    kernels = {"cull_idle_timeout": _IDLE, "cull_interval": _LOOK, "cull_connected": False}
    config = Config(
        {
            "Voila": where | own,
            "KernelManager": {"transport_encryption": "auto"},
            "VoilaConfiguration": {"strip_sources": True, "show_tracebacks": False},
            "MappingKernelManager": kernels | {"untracked_message_types": _UNTRACKED},
        }
    )
    # Tornado would say of each start that it bounds Jupyter's own limit for a lost browser.
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    app = App.instance(config=config)
    app.links, app.note = links, note
    app.initialize([])
    app.start()


def _log(handler: RequestHandler) -> None:
    """Log no request: an address may hold the token."""
