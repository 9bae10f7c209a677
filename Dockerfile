# consentivr in a container: its Debian package, on Debian. Pinned by tag; pin it by digest where you keep images.
ARG DEBIAN=docker.io/library/debian:bookworm-20250520-slim

FROM ${DEBIAN} AS package
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates debhelper make python3 python3-pip python3-venv
COPY . /source
RUN make --directory /source deb

FROM ${DEBIAN}
# The switch's user as its official image has it, so that calls are taken of nobody else; our own, so that volumes fit.
RUN addgroup --system --gid 499 freeswitch \
 && adduser --system --uid 499 --gid 499 --no-create-home --home /nonexistent freeswitch \
 && addgroup --system --gid 818 consentivr \
 && adduser --system --uid 818 --gid 818 --no-create-home --home /var/lib/consentivr consentivr
RUN --mount=type=bind,from=package,source=/source/dist,target=/dist \
    apt-get update \
 && apt-get install --yes --no-install-recommends /dist/consentivr_*.deb ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/*
USER consentivr
VOLUME ["/etc/consentivr", "/var/lib/consentivr"]
ENTRYPOINT ["consentivr"]
CMD ["serve"]
