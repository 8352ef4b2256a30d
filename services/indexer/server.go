package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	maxBody = 64 << 10
	maxSlow = 30 * time.Second

	// statusCanceled marks requests whose connection went away unanswered; only
	// the log and the metrics see it.
	statusCanceled = 499
)

// newHandler wires the operational endpoints and the API.
func newHandler(cfg config) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "service": service})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{
			"service": service, "version": cfg.version, "revision": cfg.revision,
		})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /slow", slow)
	newIndex(maxEvents).register(mux)
	return instrument(registry, mux)
}

// slow answers after the given number of seconds; it exists to try out how the
// service stops while a request is running.
func slow(w http.ResponseWriter, r *http.Request) {
	seconds := uint64(2)
	if query := r.URL.Query(); query.Has("seconds") {
		var err error
		seconds, err = strconv.ParseUint(query.Get("seconds"), 10, 8)
		if err != nil || time.Duration(seconds)*time.Second > maxSlow {
			writeError(w, http.StatusBadRequest, fmt.Sprintf("seconds must be a whole number from 0 to %.0f", maxSlow.Seconds()))
			return
		}
	}
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
		writeJSON(w, http.StatusOK, map[string]uint64{"seconds": seconds})
	case <-r.Context().Done():
		w.WriteHeader(statusCanceled)
	}
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// instrument counts, times and logs every request. Metric labels come from the
// matched pattern, never from the client, so their number stays bounded.
func instrument(registry prometheus.Registerer, next http.Handler) http.Handler {
	labels := []string{"method", "route", "status"}
	requests := promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Requests served.",
	}, labels)
	duration := promauto.With(registry).NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time to serve a request.",
	}, labels)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		elapsed := time.Since(start)

		method, route, found := strings.Cut(r.Pattern, " ")
		if !found {
			method, route = "other", "unmatched"
		}
		status := strconv.Itoa(rec.status)
		requests.WithLabelValues(method, route, status).Inc()
		duration.WithLabelValues(method, route, status).Observe(elapsed.Seconds())
		slog.Info("request", "method", r.Method, "route", route, "status", rec.status,
			"ms", float64(elapsed.Microseconds())/1000)
	})
}

// readJSON decodes the body into v; if it cannot, it answers the request with
// the reason and returns false.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	if err == nil {
		if _, end := decoder.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("unexpected data after the object")
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("body must not exceed %d bytes", tooLarge.Limit))
	default:
		writeError(w, http.StatusBadRequest, "body must be one valid JSON object: "+err.Error())
	}
	return false
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		slog.Warn("cannot write response", "error", err)
	}
}
