"""The HTTP API: an edge like the dashboard, over the same services. `uvicorn credits_core.api:app` serves it alone.

The dashboard's server takes the routes of `app` beside its own: the API under /api, Prometheus' metrics at /metrics.
"""

from starlette.applications import Starlette

from credits_core.api.root import routes

app = Starlette(routes=routes())
