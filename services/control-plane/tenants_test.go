package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestCreateTenantValidation(t *testing.T) {
	tests := []struct {
		name, body string
		want       int
	}{
		{"valid", `{"id":"acme","name":"Acme Ltd"}`, http.StatusCreated},
		{"empty body", ``, http.StatusBadRequest},
		{"not JSON", `{`, http.StatusBadRequest},
		{"wrong type", `{"id":1,"name":"Acme"}`, http.StatusBadRequest},
		{"unknown field", `{"id":"acme","name":"Acme","role":"admin"}`, http.StatusBadRequest},
		{"trailing data", `{"id":"acme","name":"Acme"}}`, http.StatusBadRequest},
		{"bad id", `{"id":"Acme!","name":"Acme"}`, http.StatusBadRequest},
		{"id ends with dash", `{"id":"acme-","name":"Acme"}`, http.StatusBadRequest},
		{"blank name", `{"id":"acme","name":" "}`, http.StatusBadRequest},
		{"long name", `{"id":"acme","name":"` + strings.Repeat("x", 101) + `"}`, http.StatusBadRequest},
		{"too large", `{"id":"acme","name":"` + strings.Repeat("x", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body := request(t, newHandler(config{}), "POST", "/tenants", test.body)
			if status != test.want {
				t.Fatalf("status %d, want %d: %s", status, test.want, body)
			}
			if status != http.StatusCreated && !strings.HasPrefix(body, `{"error":"`) {
				t.Errorf("not a JSON error: %s", body)
			}
		})
	}
}

func TestTenants(t *testing.T) {
	handler := newHandler(config{})
	steps := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/tenants", "", http.StatusOK, `{"tenants":[]}`},
		{"POST", "/tenants", `{"id":"zeta","name":"Zeta"}`, http.StatusCreated, `"id":"zeta"`},
		{"POST", "/tenants", `{"id":"acme","name":"Acme"}`, http.StatusCreated, `"id":"acme"`},
		{"POST", "/tenants", `{"id":"acme","name":"Other"}`, http.StatusConflict, `"error"`},
		{"GET", "/tenants", "", http.StatusOK, `{"tenants":[{"id":"acme"`},
		{"GET", "/tenants/zeta", "", http.StatusOK, `"name":"Zeta"`},
		{"GET", "/tenants/none", "", http.StatusNotFound, `"error"`},
	}
	for _, step := range steps {
		status, body := request(t, handler, step.method, step.path, step.body)
		if status != step.status || !strings.Contains(body, step.want) {
			t.Fatalf("%s %s: %d %s, want %d with %s", step.method, step.path, status, body, step.status, step.want)
		}
	}
}
