package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func request(t *testing.T, handler http.Handler, method, path, body string) (status int, response string) {
	t.Helper()
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
	return rec.Code, rec.Body.String()
}

func TestOperationalEndpoints(t *testing.T) {
	handler := newHandler(config{version: "1.2.3", revision: "abc"})
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/health", http.StatusOK, `{"service":"` + service + `","status":"ok"}`},
		{"/ready", http.StatusOK, `{"revision":"abc","service":"` + service + `","version":"1.2.3"}`},
		{"/slow?seconds=0", http.StatusOK, `{"seconds":0}`},
		{"/slow?seconds=31", http.StatusBadRequest, `"error"`},
		{"/slow?seconds=-1", http.StatusBadRequest, `"error"`},
		{"/slow?seconds=1.5", http.StatusBadRequest, `"error"`},
		{"/slow?seconds=", http.StatusBadRequest, `"error"`},
		{"/missing", http.StatusNotFound, "not found"},
		{"/metrics", http.StatusOK, `http_requests_total{method="GET",route="/health",status="200"} 1`},
		{"/metrics", http.StatusOK, `http_requests_total{method="GET",route="/slow",status="400"} 4`},
		{"/metrics", http.StatusOK, `http_requests_total{method="other",route="unmatched",status="404"} 1`},
		{"/metrics", http.StatusOK, `http_request_duration_seconds_count{method="GET",route="/ready",status="200"} 1`},
	}
	for _, test := range tests {
		status, body := request(t, handler, "GET", test.path, "")
		if status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s, want %d with %s", test.path, status, body, test.status, test.want)
		}
	}
}

func TestSlowWaits(t *testing.T) {
	start := time.Now()
	status, _ := request(t, newHandler(config{}), "GET", "/slow?seconds=1", "")
	if elapsed := time.Since(start); status != http.StatusOK || elapsed < time.Second {
		t.Errorf("status %d after %s", status, elapsed)
	}
}

func TestSlowEndsWithItsConnection(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	rec := httptest.NewRecorder()
	newHandler(config{}).ServeHTTP(rec, httptest.NewRequestWithContext(gone, "GET", "/slow?seconds=30", nil))
	if rec.Code != statusCanceled {
		t.Errorf("status %d, want %d", rec.Code, statusCanceled)
	}
}
