# Two images from one file: `service` (HTTP, pages, migration) and `batch` (the worker, with the model libraries).
#   docker build --target service -t wearwatch-service .
#   docker build --target batch   -t wearwatch-batch .

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/wearwatch \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HOME=/tmp \
    WEARWATCH_DATA_DIR=/var/lib/wearwatch/data \
    WEARWATCH_HOST=0.0.0.0 \
    WEARWATCH_LOG_FORMAT=json
# The data folder is made here, so that a fresh volume mounted on its parent belongs to the ordinary user.
RUN groupadd --gid 10001 wearwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin wearwatch \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/wearwatch /var/lib/wearwatch/data \
    && printf '#!/bin/sh\nexec python -m wearwatch "$@"\n' > /usr/local/bin/wearwatch \
    && chmod 0755 /usr/local/bin/wearwatch
WORKDIR /opt/wearwatch
ENTRYPOINT ["wearwatch"]

FROM base AS service
COPY requirements/service.txt requirements/
RUN pip install --require-hashes --no-deps -r requirements/service.txt
COPY LICENSE wearwatch.py ./
COPY app app
COPY commands commands
COPY migrations migrations
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["serve"]

FROM base AS batch
COPY requirements/ml.txt requirements/
RUN pip install --require-hashes --no-deps -r requirements/ml.txt
COPY LICENSE wearwatch.py ./
COPY app app
COPY commands commands
COPY ml ml
COPY migrations migrations
COPY wearwatch_client wearwatch_client
ENV TF_CPP_MIN_LOG_LEVEL=2
USER 10001:10001
# Every worker tells the database that it lives, also while it trains.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, psycopg, sys; sys.exit(not psycopg.connect(os.environ['DATABASE_URL'], connect_timeout=5).execute(\"select exists (select from procrastinate_workers where last_heartbeat > now() - interval '2 minutes')\").fetchone()[0])"]
CMD ["worker"]
