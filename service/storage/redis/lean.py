"""redis-py without what it never needs here: the SDK of OpenTelemetry, 2.4 MB, which it loads wherever it finds it.

Imported before anything else of redis-py.
"""

from service.lean import without

with without("opentelemetry.sdk"):
    import redis.asyncio  # noqa: F401 - loaded here so that it is loaded like this
