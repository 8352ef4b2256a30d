// Command connector-gateway is the gateway to third-party integrations.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	service     = "connector-gateway"
	defaultPort = "8001"

	// drainTimeout bounds the wait for requests in flight, so that the process
	// is gone within five seconds of a stop signal.
	drainTimeout = 4500 * time.Millisecond
)

// Exit codes besides 0, which is a clean stop.
const (
	exitFailure   = 1
	exitBadConfig = 2
)

type config struct {
	port     string
	version  string
	revision string
}

func loadConfig(getenv func(string) string) (config, error) {
	port := cmp.Or(getenv("PORT"), defaultPort)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return config{}, fmt.Errorf("PORT must be a number from 1 to 65535, got %q", port)
	}
	return config{
		port:     port,
		version:  cmp.Or(getenv("SERVICE_VERSION"), "dev"),
		revision: cmp.Or(getenv("SERVICE_REVISION"), "unknown"),
	}, nil
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("service", service))
	os.Exit(run())
}

func run() int {
	cfg, err := loadConfig(os.Getenv)
	if err != nil {
		slog.Error("invalid configuration", "error", err)
		return exitBadConfig
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	listener, err := net.Listen("tcp", ":"+cfg.port)
	if err != nil {
		slog.Error("cannot listen", "error", err)
		return exitFailure
	}
	slog.Info("started", "addr", listener.Addr().String(), "version", cfg.version, "revision", cfg.revision)
	if err := serve(ctx, listener, newHandler(cfg)); err != nil {
		slog.Error("server failed", "error", err)
		return exitFailure
	}
	slog.Info("stopped")
	return 0
}

// serve answers requests until ctx is done, then lets those in flight finish
// for at most drainTimeout.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	// Shutdown closes idle connections at once but waits for those that have
	// not sent a request yet; unused holds them, to be closed as well.
	var unused sync.Map
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      maxSlow + 10*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
		ConnState: func(conn net.Conn, state http.ConnState) {
			if state == http.StateNew {
				unused.Store(conn, nil)
			} else {
				unused.Delete(conn)
			}
		},
	}
	srv.RegisterOnShutdown(func() {
		unused.Range(func(conn, _ any) bool {
			_ = conn.(net.Conn).Close()
			return true
		})
	})

	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	slog.Info("stopping", "cause", context.Cause(ctx).Error())
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		slog.Warn("requests still running are cut off")
		return srv.Close()
	}
	return err
}
