"""The HTTP API: an edge like the dashboard, over the same actions. `uvicorn credits_core.api:app` serves it alone.

The dashboard's server adds the same routes to its own: the API under /api, Prometheus' metrics at /metrics, both also
below the dashboard's base path.
"""

from starlette.applications import Starlette

from credits_core.api.root import routes

app = Starlette(routes=routes())
