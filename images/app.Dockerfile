# The application. The jobs backend, worker and migrate run this one image, each by its own command.
# `flowrexctl build --images ENV` builds it; docs/images.md.

# Any Debian 12, or what is made from one, that apt can install packages on.
ARG BASE=debian:bookworm-20250520-slim

FROM ${BASE} AS debian
COPY images/slim /usr/local/sbin/slim
# With a secret `apt` the builder brings settings of apt's for this step alone, such as a proxy.
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99builder \
    slim ca-certificates python3 tini && rm /usr/local/sbin/slim

# What `flowrexctl build` made: the same bytes that run without a container.
FROM debian AS artifact
ARG ARTIFACT
# Its packages are made for one Python.
ARG PYTHON
COPY ${ARTIFACT} /artifact.tar.gz
RUN here="cp$(python3 -c 'import sys; print("%d%d" % sys.version_info[:2])')"; \
    case "${PYTHON}" in "$here"-*) ;; \
    *) echo "the artifact is for ${PYTHON}, and this base has $here" >&2; exit 1 ;; esac; \
    mkdir /opt/flowrex && tar -xzf /artifact.tar.gz -C /opt/flowrex --no-same-owner

# From nothing, so that what was removed from the base is gone, and not only hidden.
FROM scratch
LABEL org.opencontainers.image.title="flowrex-app"
COPY --from=debian / /
COPY --from=artifact /opt/flowrex /opt/flowrex
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONPATH=/opt/flowrex:/opt/flowrex/site-packages \
    PYTHONUNBUFFERED=1
WORKDIR /opt/flowrex
USER 1000:1000
# An init of the image's own reaps what is left behind, whatever starts the container.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["python3", "-m", "app.server"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD ["python3", "-m", "app.alive"]
