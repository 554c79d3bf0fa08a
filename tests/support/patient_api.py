"""The API without limits for slow callers and idle connections, to compare with. uvicorn serves it."""

from starlette.applications import Starlette

from credits_core.api.resources import Resources
from credits_core.api.root import closing, routes

_resources = Resources()
app = Starlette(routes=routes(_resources), lifespan=closing(_resources))
