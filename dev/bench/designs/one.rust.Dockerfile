FROM ${TARGETARCH}-on-${BUILDARCH} AS build
ENV CARGO_TARGET_DIR=/target
WORKDIR /src
COPY services/agent agent
COPY services/execution-plane execution-plane
ARG PROFILE=release
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,id=aic-sos-cargo-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=aic-sos-cargo-target,target=/target,sharing=locked <<EOT
    set -eu
    built=/target/$(uname -m)-unknown-linux-musl/$PROFILE
    rm -rf "$built/.fingerprint/agent-"* "$built/.fingerprint/execution-plane-"*
    find . -type f -exec touch {} +
    mkdir /out
    for service in agent execution-plane; do
        (cd "$service" && cargo build --profile "$PROFILE" --locked --target "$(uname -m)-unknown-linux-musl")
        cp "$built/$service" /out/
    done
EOT
