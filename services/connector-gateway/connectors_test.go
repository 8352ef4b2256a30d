package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestCreateConnectorValidation(t *testing.T) {
	tests := []struct {
		name, body string
		want       int
	}{
		{"valid", `{"name":"github","kind":"oauth","endpoint":"https://example.com/v1"}`, http.StatusCreated},
		{"empty body", ``, http.StatusBadRequest},
		{"not JSON", `{`, http.StatusBadRequest},
		{"unknown field", `{"name":"github","kind":"oauth","endpoint":"https://example.com","x":1}`, http.StatusBadRequest},
		{"trailing data", `{"name":"github","kind":"oauth","endpoint":"https://example.com"}[]`, http.StatusBadRequest},
		{"bad name", `{"name":"Git Hub","kind":"oauth","endpoint":"https://example.com"}`, http.StatusBadRequest},
		{"bad kind", `{"name":"github","kind":"ftp","endpoint":"https://example.com"}`, http.StatusBadRequest},
		{"plain http", `{"name":"github","kind":"oauth","endpoint":"http://example.com"}`, http.StatusBadRequest},
		{"no host", `{"name":"github","kind":"oauth","endpoint":"https://:443"}`, http.StatusBadRequest},
		{"credentials", `{"name":"github","kind":"oauth","endpoint":"https://me:secret@example.com"}`, http.StatusBadRequest},
		{"too large", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body := request(t, newHandler(config{}), "POST", "/connectors", test.body)
			if status != test.want {
				t.Fatalf("status %d, want %d: %s", status, test.want, body)
			}
			if status != http.StatusCreated && !strings.HasPrefix(body, `{"error":"`) {
				t.Errorf("not a JSON error: %s", body)
			}
		})
	}
}

func TestConnectors(t *testing.T) {
	handler := newHandler(config{})
	steps := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/connectors", "", http.StatusOK, `{"connectors":[]}`},
		{"POST", "/connectors", `{"name":"slack","kind":"webhook","endpoint":"https://example.com/s"}`, http.StatusCreated, `"name":"slack"`},
		{"POST", "/connectors", `{"name":"github","kind":"oauth","endpoint":"https://example.com/g"}`, http.StatusCreated, `"name":"github"`},
		{"POST", "/connectors", `{"name":"slack","kind":"rest","endpoint":"https://example.com/s"}`, http.StatusConflict, `"error"`},
		{"GET", "/connectors", "", http.StatusOK, `{"connectors":[{"name":"github"`},
		{"GET", "/connectors?kind=webhook", "", http.StatusOK, `{"connectors":[{"name":"slack"`},
		{"GET", "/connectors?kind=rest", "", http.StatusOK, `{"connectors":[]}`},
		{"GET", "/connectors?kind=ftp", "", http.StatusBadRequest, `"error"`},
	}
	for _, step := range steps {
		status, body := request(t, handler, step.method, step.path, step.body)
		if status != step.status || !strings.Contains(body, step.want) {
			t.Fatalf("%s %s: %d %s, want %d with %s", step.method, step.path, status, body, step.status, step.want)
		}
	}
}
