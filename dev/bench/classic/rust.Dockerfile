# How these services were built before: dependencies under a dummy main, and nothing shared. Only `inv bench` builds from it.
FROM --platform=$BUILDPLATFORM rust:1.99.0-alpine3.24@sha256:0cce0a5e0e8ba67b455257a3a02a1d99005f382748789d6464460028810f1627 AS build
WORKDIR /src
ARG TARGETARCH
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt <<EOT
    set -eu
    case "$TARGETARCH" in
        amd64) echo x86_64-unknown-linux-musl ;;
        arm64) echo aarch64-unknown-linux-musl ;;
    esac > /triple
    if ! rustc -vV | grep -qx "host: $(cat /triple)"; then
        rustup target add "$(cat /triple)"
        printf '[target.%s]\nlinker = "rust-lld"\n' "$(cat /triple)" >> /usr/local/cargo/config.toml
    fi
EOT
COPY Cargo.toml Cargo.lock ./
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    mkdir src && echo 'fn main() {}' > src/main.rs && cargo build --release --locked --target "$(cat /triple)"
COPY src src
ARG SERVICE
RUN touch src/main.rs && cargo build --release --locked --offline --target "$(cat /triple)" \
    && mkdir /out && cp "target/$(cat /triple)/release/$SERVICE" /out/

FROM alpine:3.24.2@sha256:294b683cb724975bec92580e1e685676bd4b50bda910ddb8c51d4cabeaec77e6
COPY --from=build /out/ /usr/local/bin/
USER 1000:1000
