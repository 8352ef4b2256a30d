package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestCreateEventValidation(t *testing.T) {
	tests := []struct {
		name, body string
		want       int
	}{
		{"valid", `{"source":"billing","message":"Invoice 42 paid"}`, http.StatusCreated},
		{"valid with time", `{"source":"billing","message":"paid","time":"2026-01-02T03:04:05Z"}`, http.StatusCreated},
		{"empty body", ``, http.StatusBadRequest},
		{"not JSON", `{`, http.StatusBadRequest},
		{"bad time", `{"source":"billing","message":"paid","time":"yesterday"}`, http.StatusBadRequest},
		{"unknown field", `{"source":"billing","message":"paid","id":7}`, http.StatusBadRequest},
		{"no source", `{"message":"paid"}`, http.StatusBadRequest},
		{"no word", `{"source":"billing","message":"..."}`, http.StatusBadRequest},
		{"long message", `{"source":"billing","message":"` + strings.Repeat("x", 4097) + `"}`, http.StatusBadRequest},
		{"too large", `{"source":"billing","message":"` + strings.Repeat("x", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body := request(t, newHandler(config{}), "POST", "/events", test.body)
			if status != test.want {
				t.Fatalf("status %d, want %d: %s", status, test.want, body)
			}
			if status != http.StatusCreated && !strings.HasPrefix(body, `{"error":"`) {
				t.Errorf("not a JSON error: %s", body)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	handler := newHandler(config{})
	for _, message := range []string{"Invoice 1 paid", "Invoice 2 sent", "invoice 3 PAID, thanks"} {
		body := fmt.Sprintf(`{"source":"billing","message":%q}`, message)
		if status, response := request(t, handler, "POST", "/events", body); status != http.StatusCreated {
			t.Fatalf("%d %s", status, response)
		}
	}
	tests := []struct {
		query  string
		status int
		ids    []string // in order
	}{
		{"q=invoice", http.StatusOK, []string{"3", "2", "1"}},
		{"q=invoice+paid", http.StatusOK, []string{"3", "1"}},
		{"q=BILLING&limit=1", http.StatusOK, []string{"3"}},
		{"q=refund", http.StatusOK, nil},
		{"q=invoice+refund", http.StatusOK, nil},
		{"q=", http.StatusBadRequest, nil},
		{"q=invoice&limit=0", http.StatusBadRequest, nil},
		{"q=invoice&limit=many", http.StatusBadRequest, nil},
	}
	for _, test := range tests {
		status, body := request(t, handler, "GET", "/search?"+test.query, "")
		var ids []string
		for _, part := range strings.Split(body, `{"id":`)[1:] {
			id, _, _ := strings.Cut(part, ",")
			ids = append(ids, id)
		}
		if status != test.status || fmt.Sprint(ids) != fmt.Sprint(test.ids) {
			t.Errorf("%s: %d %v, want %d %v", test.query, status, ids, test.status, test.ids)
		}
	}
}

func TestOldestEventsMakeRoom(t *testing.T) {
	x := newIndex(2)
	for _, message := range []string{"common first", "common second", "common third"} {
		x.add(event{Source: "test", Message: message})
	}
	if found := x.search([]string{"first"}, 10); len(found) != 0 {
		t.Errorf("evicted event found: %v", found)
	}
	if found := x.search([]string{"common"}, 10); len(found) != 2 || found[0].ID != 3 || found[1].ID != 2 {
		t.Errorf("found %v, want the events 3 and 2", found)
	}
	if _, ok := x.postings["first"]; ok || len(x.events) != 2 {
		t.Error("the evicted event left traces")
	}
}
