"""Telemetry: what operators see of the workers, added up over all of them.

It owns the metrics, the folder in which workers lay them together, and the spans of traces. It refuses to know why
anything is counted: rooms count (`service/tally.py`), and what stands at a moment is handed to it. Nothing here comes
from a request's text. Read metrics.py first.
"""

from service.telemetry.folder import Folder, NoFolder
from service.telemetry.metrics import CONTENT_TYPE, GAUGES, Gauge, Level, Metrics

__all__ = ["CONTENT_TYPE", "GAUGES", "Folder", "Gauge", "Level", "Metrics", "NoFolder"]
