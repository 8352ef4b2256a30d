FROM ${TARGETARCH}-on-${BUILDARCH} AS warm
WORKDIR /src
ENV CARGO_TARGET_DIR=/target
ARG PROFILE=release
COPY services/agent/Cargo.toml services/agent/Cargo.lock ./
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    mkdir src && echo 'fn main() {}' > src/main.rs && cargo build --profile "$PROFILE" --locked --target "$(uname -m)-unknown-linux-musl"

FROM warm AS build
COPY services/SERVICE/ ./
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    find . -type f -exec touch {} + && cargo build --profile "$PROFILE" --locked --target "$(uname -m)-unknown-linux-musl" \
    && mkdir /out && cp "/target/$(uname -m)-unknown-linux-musl/$PROFILE/SERVICE" /out/
