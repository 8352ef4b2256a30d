FROM --platform=$BUILDPLATFORM golang:1.27.2-alpine3.24@sha256:85dc1069ac644ea3c527b177303a406eb3358192816cd7f9e5848eb658851673 AS build
ENV CGO_ENABLED=0 GOFLAGS=-trimpath
ARG TARGETOS TARGETARCH
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=bind,source=services,target=/src \
    --mount=type=cache,id=aic-sos-go-mod,target=/go/pkg/mod,sharing=locked \
    --mount=type=cache,id=aic-sos-go-build,target=/root/.cache/go-build,sharing=locked \
    for service in connector-gateway control-plane indexer; do \
        (cd "/src/$service" && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -ldflags="-s -w" -o "/out/$service" .) || exit 1; \
    done
