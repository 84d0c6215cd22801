# nginx. Both tasks of the job nginx run this image; their configuration is the job's.
# `flowrexctl build --images ENV` builds it; docs/images.md.

# Any Debian 12, or what is made from one, that apt can install packages on.
ARG BASE=debian:bookworm-20250520-slim

FROM ${BASE} AS debian
COPY images/slim /usr/local/sbin/slim
# With a secret `apt` the builder brings settings of apt's for this step alone, such as a proxy.
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99builder \
    slim nginx tini && rm /usr/local/sbin/slim
# Its own site and its log files: the job brings a configuration, and its logs are standard output.
RUN rm -rf /etc/nginx/sites-* /etc/nginx/conf.d /etc/nginx/snippets /var/www
COPY images/nginx-alive /usr/local/bin/nginx-alive

# From nothing, so that what was removed from the base is gone, and not only hidden.
FROM scratch
LABEL org.opencontainers.image.title="flowrex-nginx"
COPY --from=debian / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8
USER 1000:1000
STOPSIGNAL SIGQUIT
# An init of the image's own reaps what is left behind, whatever starts the container.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["/usr/sbin/nginx", "-e", "stderr", "-c", "/local/nginx.conf", "-g", "daemon off;"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 CMD ["nginx-alive"]
