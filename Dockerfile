# Gatepost for production: no embedded stores, no compiler, no root. Its file system may be read-only.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements/prod.txt requirements/prod.txt
RUN python -m venv /opt/gatepost \
 && /opt/gatepost/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements/prod.txt \
 && /opt/gatepost/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin gatepost
COPY --from=build /opt/gatepost /opt/gatepost
WORKDIR /srv/gatepost
COPY LICENSE ./
COPY alembic alembic
COPY sdk/gatepost gatepost
COPY service service
RUN /opt/gatepost/bin/python -m compileall -q .
ENV PATH=/opt/gatepost/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEPOST_MODE=production \
    GATEPOST_LOG__FORM=json \
    GATEPOST_SERVER__HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('GATEPOST_SERVER__PORT', '8000') + '/livez', timeout=2)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]
