"""The composition root: settings → stores → rooms → FastAPI. The one place that sees everything.

Owns which part is made of which others, what runs beside the requests, and its beginning and end. Decides nothing else:
no rule of any room is here. Read `stores.py`, then `joinery.py`, which joins the rooms, then `application.py`.
"""

from service.app.application import create_app
from service.app.house import House, build_house

__all__ = ["House", "build_house", "create_app"]
