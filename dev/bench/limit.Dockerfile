# What the compilers alone cost: everything is there, and their processor seconds are counted. Both languages compile
# side by side, as they do in a build of all services: a processor second is longer where all processors are busy.
FROM --platform=$BUILDPLATFORM golang:1.27.2-alpine3.24@sha256:85dc1069ac644ea3c527b177303a406eb3358192816cd7f9e5848eb658851673 AS go
ARG ARCHITECTURES GO_SERVICES GO_CHANGED
ENV CGO_ENABLED=0 GOFLAGS=-trimpath
WORKDIR /src
COPY services/ ./
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    for service in $GO_SERVICES; do (cd "$service" && go mod download) || exit 1; done
RUN <<EOT
    set -eu
    build() {
        for arch in $ARCHITECTURES; do (cd "$1" && GOARCH=$arch go build -ldflags="-s -w" -o "/out/$arch/$1" .); done
    }
    # Fields 16 and 17: the time of the children that have ended, in user and system mode, in hundredths.
    seconds() { awk '{ print ($16 + $17) / 100 }' "/proc/$$/stat"; }
    for service in $GO_SERVICES; do build "$service"; done
    seconds > /times
    printf '\nvar Bench = 1\n' >> "$GO_CHANGED/main.go"
    build "$GO_CHANGED"
    seconds >> /times
EOT

FROM --platform=$BUILDPLATFORM rust:1.99.0-alpine3.24@sha256:0cce0a5e0e8ba67b455257a3a02a1d99005f382748789d6464460028810f1627 AS rust
ARG ARCHITECTURES RUST_SERVICES RUST_CHANGED PROFILE
ENV CARGO_TARGET_DIR=/target
WORKDIR /src
COPY services/ ./
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt <<EOT
    set -eu
    for arch in $ARCHITECTURES; do
        case "$arch" in
            amd64) triple=x86_64-unknown-linux-musl ;;
            arm64) triple=aarch64-unknown-linux-musl ;;
        esac
        echo "$triple" >> /triples
        if ! rustc -vV | grep -qx "host: $triple"; then
            rustup target add "$triple"
            printf '[target.%s]\nlinker = "rust-lld"\n' "$triple" >> /usr/local/cargo/config.toml
        fi
    done
    for service in $RUST_SERVICES; do (cd "$service" && cargo fetch --locked); done
EOT
RUN <<EOT
    set -eu
    build() {
        for triple in $(cat /triples); do
            (cd "$1" && cargo build --profile "$PROFILE" --locked --offline --target "$triple")
        done
    }
    seconds() { awk '{ print ($16 + $17) / 100 }' "/proc/$$/stat"; }
    for service in $RUST_SERVICES; do build "$service"; done
    seconds > /times
    printf '\n#[used]\nstatic BENCH: &str = "1";\n' >> "$RUST_CHANGED/src/main.rs"
    build "$RUST_CHANGED"
    seconds >> /times
EOT

FROM scratch AS times
COPY --from=go /times /go
COPY --from=rust /times /rust
