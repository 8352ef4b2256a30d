package main

import (
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

var tenantID = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}[a-z0-9]$`)

type tenant struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// tenants keeps the tenants in memory.
type tenants struct {
	mu   sync.RWMutex
	byID map[string]tenant
}

func newTenants() *tenants {
	return &tenants{byID: make(map[string]tenant)}
}

func (t *tenants) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /tenants", t.list)
	mux.HandleFunc("POST /tenants", t.create)
	mux.HandleFunc("GET /tenants/{id}", t.get)
}

type createTenant struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (c createTenant) validate() error {
	if !tenantID.MatchString(c.ID) {
		return errors.New("id must be 3 to 32 lower-case letters, digits and dashes, start with a letter and not end with a dash")
	}
	if strings.TrimSpace(c.Name) == "" || utf8.RuneCountInString(c.Name) > 100 {
		return errors.New("name must be 1 to 100 characters and not blank")
	}
	return nil
}

func (t *tenants) create(w http.ResponseWriter, r *http.Request) {
	var req createTenant
	if !readJSON(w, r, &req) {
		return
	}
	if err := req.validate(); err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	created := tenant{ID: req.ID, Name: req.Name, CreatedAt: time.Now().UTC()}
	if !t.add(created) {
		writeError(w, http.StatusConflict, "a tenant with this id exists")
		return
	}
	w.Header().Set("Location", "/tenants/"+created.ID)
	writeJSON(w, http.StatusCreated, created)
}

// add stores a tenant unless its id is taken.
func (t *tenants) add(created tenant) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, taken := t.byID[created.ID]; taken {
		return false
	}
	t.byID[created.ID] = created
	return true
}

func (t *tenants) list(w http.ResponseWriter, _ *http.Request) {
	t.mu.RLock()
	all := slices.AppendSeq([]tenant{}, maps.Values(t.byID)) // never nil: an empty list is [] in JSON
	t.mu.RUnlock()
	slices.SortFunc(all, func(a, b tenant) int { return strings.Compare(a.ID, b.ID) })
	writeJSON(w, http.StatusOK, map[string][]tenant{"tenants": all})
}

func (t *tenants) get(w http.ResponseWriter, r *http.Request) {
	t.mu.RLock()
	found, ok := t.byID[r.PathValue("id")]
	t.mu.RUnlock()
	if !ok {
		writeError(w, http.StatusNotFound, "no such tenant")
		return
	}
	writeJSON(w, http.StatusOK, found)
}
