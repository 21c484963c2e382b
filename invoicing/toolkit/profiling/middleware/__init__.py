"""What each request of a web application asks of its database, as a page beside it."""

from invoicing.toolkit.profiling.middleware.asgi import ProfileMiddleware
from invoicing.toolkit.profiling.middleware.record import RequestRecord
from invoicing.toolkit.profiling.middleware.requests import RequestLog
from invoicing.toolkit.profiling.middleware.wsgi import WSGIProfileMiddleware

__all__ = ["ProfileMiddleware", "RequestLog", "RequestRecord", "WSGIProfileMiddleware"]
