# The frontend: Next's standalone server.
# `flowrexctl build --images ENV` builds it; docs/images.md.

# Any Debian 12, or what is made from one, that apt can install packages on.
ARG BASE=debian:bookworm-20250520-slim

FROM ${BASE} AS debian
COPY images/slim /usr/local/sbin/slim
# With a secret `apt` the builder brings settings of apt's for this step alone, such as a proxy.
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99builder \
    slim ca-certificates nodejs tini && rm /usr/local/sbin/slim

# What `flowrexctl build` made: the same bytes that run without a container.
FROM debian AS artifact
ARG ARTIFACT
COPY ${ARTIFACT} /artifact.tar.gz
RUN mkdir /opt/flowrex && tar -xzf /artifact.tar.gz -C /opt/flowrex --no-same-owner
COPY images/frontend-alive /opt/flowrex/alive.js

# From nothing, so that what was removed from the base is gone, and not only hidden.
FROM scratch
LABEL org.opencontainers.image.title="flowrex-frontend"
COPY --from=debian / /
COPY --from=artifact /opt/flowrex /opt/flowrex
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    NODE_ENV=production
WORKDIR /opt/flowrex
USER 1000:1000
# An init of the image's own reaps what is left behind, whatever starts the container.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["node", "server/main.js"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD ["node", "/opt/flowrex/alive.js"]
