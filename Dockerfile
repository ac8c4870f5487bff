# syntax=docker/dockerfile:1
# The base is pinned by its exact tag. A digest pins harder, but one has to be read off a registry when a release is
# built: `docker buildx imagetools inspect python:3.13.7-slim-bookworm` prints it, and
# `docker build --build-arg PYTHON_IMAGE=python@sha256:…` uses it.
ARG PYTHON_IMAGE=python:3.13.7-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements/runtime.lock requirements/build.lock requirements/
RUN python -m venv /opt/cascade \
    && /opt/cascade/bin/pip install --require-hashes --requirement requirements/runtime.lock \
    && python -m pip install --require-hashes --requirement requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY monitor monitor
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/cascade/bin/pip install --no-deps dist/*.whl \
    && /opt/cascade/bin/pip uninstall --yes pip \
    && python -m compileall -q /opt/cascade/lib

FROM ${PYTHON_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="liquidation-cascade-monitor" \
      org.opencontainers.image.description="Watches derivatives exchanges for forced liquidations and says when a cascade builds, runs and ends." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A number and not a name, so that Kubernetes can prove that it is not root.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/cascade --shell /usr/sbin/nologin cascade \
    && install --directory --owner=10001 --group=10001 /var/lib/cascade
COPY --from=build /opt/cascade /opt/cascade
COPY configs /etc/cascade
ENV PATH=/opt/cascade/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/cascade
VOLUME ["/var/lib/cascade"]
USER 10001:10001
# SIGTERM is what the program drains and saves its state on.
STOPSIGNAL SIGTERM
# Starting means asking each exchange for its instruments first: that may take the better part of a minute.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["cascade-monitor", "health"]
ENTRYPOINT ["cascade-monitor"]
CMD ["run", "--config", "/etc/cascade/live.yaml"]
