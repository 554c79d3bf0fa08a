"""The HTTP API: an edge like the dashboard, over the same actions. `uvicorn credits_core.api:app` serves it alone.

The dashboard's server adds the same routes to its own: the API under /api, Prometheus' metrics at /metrics, both also
below the dashboard's base path.
"""

from starlette.applications import Starlette

from credits_core.api.resources import Resources
from credits_core.api.root import closing, middleware, routes

_resources = Resources()
lifespan = closing(_resources)
app = Starlette(routes=routes(_resources), lifespan=lifespan, middleware=middleware())
