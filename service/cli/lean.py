"""structlog as a server has it, which is imported first wherever one begins: a command may well do without any."""

from service.lean import without

with without("rich"):  # structlog would show tracebacks by it, where our logs are plain lines
    import structlog.dev  # noqa: F401 - loaded here so that it is loaded like this
