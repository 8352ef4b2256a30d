FROM --platform=$BUILDPLATFORM golang:1.27.2-alpine3.24@sha256:85dc1069ac644ea3c527b177303a406eb3358192816cd7f9e5848eb658851673 AS warm
ENV CGO_ENABLED=0 GOFLAGS=-trimpath
WORKDIR /warm
COPY services/indexer/go.mod services/indexer/go.sum ./
ARG TARGETOS TARGETARCH
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    go mod download && GOOS=$TARGETOS GOARCH=$TARGETARCH go build std \
    github.com/prometheus/client_golang/prometheus github.com/prometheus/client_golang/prometheus/promhttp

FROM warm AS build
WORKDIR /src
COPY services/SERVICE/ ./
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -ldflags="-s -w" -o /out/SERVICE .
