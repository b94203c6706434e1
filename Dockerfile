# Small, without compilers or root. Build: docker build -t liveserver .
# Run:  docker run --network host -v lectern:/data liveserver
# or, behind the container network, with the address that browsers can reach:
#       docker run -p 8080:8080 -p 8082:8082 -p 8082:8082/udp -e LIVESERVER_RTC_ADVERTISE=192.0.2.10 \
#           -v lectern:/data liveserver

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# For the native fan-out; the compiler stays in this stage.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/liveserver \
    && /opt/liveserver/bin/pip install --require-hashes -r requirements-build.lock -r requirements.lock
COPY . .
# Screening's models, by pinned hashes; what cannot be fetched is missing, and the server says so.
RUN /opt/liveserver/bin/python -m models.fetch || true
# pip, setuptools and Cython are of no use at run time.
RUN /opt/liveserver/bin/pip install --no-deps --no-build-isolation . \
    && /opt/liveserver/bin/pip uninstall --yes cython setuptools pip

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="liveserver" \
      org.opencontainers.image.description="Self-hosted live classroom server for regulated vocational training" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin liveserver \
    && install -d -o liveserver -g liveserver -m 0750 /data
COPY --from=build /opt/liveserver /opt/liveserver
ENV PATH=/opt/liveserver/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LIVESERVER_DATA_DIR=/data \
    LIVESERVER_HTTP_HOST=0.0.0.0 \
    LIVESERVER_HTTP_PORT=8080 \
    LIVESERVER_RTC_PORT=8082 \
    LIVESERVER_CONTROL_PORT=8081
WORKDIR /data
VOLUME /data
USER 10001
EXPOSE 8080/tcp 8081/tcp 8082/tcp 8082/udp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/healthz' % os.environ['LIVESERVER_HTTP_PORT'], timeout=2)"]
ENTRYPOINT ["liveserver"]
CMD ["serve"]
