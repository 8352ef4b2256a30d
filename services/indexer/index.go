package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	maxEvents    = 10_000 // the oldest events make room for new ones
	maxResults   = 100
	defaultLimit = 20
)

type event struct {
	ID      uint64    `json:"id"`
	Source  string    `json:"source"`
	Message string    `json:"message"`
	Time    time.Time `json:"time"`
}

func (e event) terms() []string { return terms(e.Source + " " + e.Message) }

// terms returns the distinct words of a text in lower case.
func terms(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	slices.Sort(words)
	return slices.Compact(words)
}

// index is an inverted index over the latest events, kept in memory.
type index struct {
	mu       sync.RWMutex
	capacity int
	lastID   uint64
	events   map[uint64]event
	postings map[string][]uint64 // term to the ids of its events, ascending
}

func newIndex(capacity int) *index {
	return &index{capacity: capacity, events: make(map[uint64]event), postings: make(map[string][]uint64)}
}

func (x *index) register(mux *http.ServeMux) {
	mux.HandleFunc("POST /events", x.create)
	mux.HandleFunc("GET /search", x.find)
}

// add stores the event under the next id and returns it.
func (x *index) add(e event) event {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.events) == x.capacity {
		x.evict(x.lastID - uint64(x.capacity) + 1)
	}
	x.lastID++
	e.ID = x.lastID
	x.events[e.ID] = e
	for _, term := range e.terms() {
		x.postings[term] = append(x.postings[term], e.ID)
	}
	return e
}

// evict removes the oldest event, whose id comes first in all its postings.
func (x *index) evict(oldest uint64) {
	for _, term := range x.events[oldest].terms() {
		if rest := x.postings[term][1:]; len(rest) > 0 {
			x.postings[term] = rest
		} else {
			delete(x.postings, term)
		}
	}
	delete(x.events, oldest)
}

// search returns up to limit events that hold every term, newest first.
func (x *index) search(query []string, limit int) []event {
	x.mu.RLock()
	defer x.mu.RUnlock()
	slices.SortFunc(query, func(a, b string) int { return len(x.postings[a]) - len(x.postings[b]) })
	found := []event{}
	for _, id := range slices.Backward(x.postings[query[0]]) {
		if len(found) == limit {
			break
		}
		if !slices.ContainsFunc(query[1:], func(term string) bool { return !x.holds(term, id) }) {
			found = append(found, x.events[id])
		}
	}
	return found
}

func (x *index) holds(term string, id uint64) bool {
	_, ok := slices.BinarySearch(x.postings[term], id)
	return ok
}

type createEvent struct {
	Source  string    `json:"source"`
	Message string    `json:"message"`
	Time    time.Time `json:"time"` // defaults to the time of arrival
}

func (c createEvent) validate() error {
	if c.Source == "" || len(c.Source) > 100 {
		return errors.New("source must be 1 to 100 bytes")
	}
	if len(c.Message) > 4096 || len(terms(c.Message)) == 0 {
		return errors.New("message must be at most 4096 bytes and hold a word")
	}
	return nil
}

func (x *index) create(w http.ResponseWriter, r *http.Request) {
	var req createEvent
	if !readJSON(w, r, &req) {
		return
	}
	if err := req.validate(); err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if req.Time.IsZero() {
		req.Time = time.Now().UTC()
	}
	writeJSON(w, http.StatusCreated, x.add(event{Source: req.Source, Message: req.Message, Time: req.Time}))
}

func (x *index) find(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	query := terms(params.Get("q"))
	if len(query) == 0 {
		writeError(w, http.StatusBadRequest, "q must hold a word to search for")
		return
	}
	limit := defaultLimit
	if params.Has("limit") {
		var err error
		if limit, err = strconv.Atoi(params.Get("limit")); err != nil || limit < 1 || limit > maxResults {
			writeError(w, http.StatusBadRequest, fmt.Sprintf("limit must be a number from 1 to %d", maxResults))
			return
		}
	}
	writeJSON(w, http.StatusOK, map[string][]event{"events": x.search(query, limit)})
}
