package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var (
	connectorName  = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}[a-z0-9]$`)
	connectorKinds = []string{"oauth", "rest", "webhook"}
)

type connector struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Endpoint string `json:"endpoint"`
}

func (c connector) validate() error {
	if !connectorName.MatchString(c.Name) {
		return errors.New("name must be 3 to 32 lower-case letters, digits and dashes, start with a letter and not end with a dash")
	}
	if err := validateKind(c.Kind); err != nil {
		return err
	}
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil || endpoint.Scheme != "https" || endpoint.Hostname() == "" {
		return errors.New("endpoint must be an absolute https URL")
	}
	if endpoint.User != nil {
		return errors.New("endpoint must not hold credentials")
	}
	return nil
}

func validateKind(kind string) error {
	if !slices.Contains(connectorKinds, kind) {
		return fmt.Errorf("kind must be one of %s", strings.Join(connectorKinds, ", "))
	}
	return nil
}

// connectors keeps the registered connectors in memory.
type connectors struct {
	mu     sync.RWMutex
	byName map[string]connector
}

func newConnectors() *connectors {
	return &connectors{byName: make(map[string]connector)}
}

func (c *connectors) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /connectors", c.list)
	mux.HandleFunc("POST /connectors", c.create)
}

func (c *connectors) create(w http.ResponseWriter, r *http.Request) {
	var created connector
	if !readJSON(w, r, &created) {
		return
	}
	if err := created.validate(); err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if !c.add(created) {
		writeError(w, http.StatusConflict, "a connector with this name exists")
		return
	}
	writeJSON(w, http.StatusCreated, created)
}

// add stores a connector unless its name is taken.
func (c *connectors) add(created connector) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.byName[created.Name]; taken {
		return false
	}
	c.byName[created.Name] = created
	return true
}

// list answers with all connectors, or with those of one kind.
func (c *connectors) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	kind := query.Get("kind")
	if query.Has("kind") {
		if err := validateKind(kind); err != nil {
			writeError(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	found := []connector{}
	c.mu.RLock()
	for _, candidate := range c.byName {
		if kind == "" || candidate.Kind == kind {
			found = append(found, candidate)
		}
	}
	c.mu.RUnlock()
	slices.SortFunc(found, func(a, b connector) int { return strings.Compare(a.Name, b.Name) })
	writeJSON(w, http.StatusOK, map[string][]connector{"connectors": found})
}
