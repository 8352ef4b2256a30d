// Command specimen is a small service for the tests of container-verify: well in every way but the one that FLAW names.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var flaw = os.Getenv("FLAW")

func main() {
	if err := prepare(); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	stop := make(chan os.Signal, 1)
	if flaw == "stop" {
		signal.Ignore(syscall.SIGTERM)
	} else {
		signal.Notify(stop, syscall.SIGTERM)
	}
	host := ""
	if flaw == "sixth" {
		host = "[::1]"
	}
	server := &http.Server{Addr: host + ":" + os.Getenv("PORT"), Handler: routes()}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			fmt.Println(err)
			os.Exit(5)
		}
	}()
	if flaw == "mortal" {
		time.AfterFunc(700*time.Millisecond, func() { os.Exit(3) })
	}
	<-stop
	if flaw == "drain" || flaw == "cut" {
		return
	}
	if err := server.Shutdown(context.Background()); err != nil {
		os.Exit(4)
	}
}

func prepare() error {
	switch flaw {
	case "start":
		return os.WriteFile("/state", nil, 0o600)
	case "restart":
		file, err := os.OpenFile("/data/lock", os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			err = file.Close()
		}
		return err
	case "random-user":
		_, err := os.ReadFile("/settings")
		return err
	}
	return os.WriteFile("/tmp/state", nil, 0o600)
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if flaw == "answers" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		version := os.Getenv("SERVICE_VERSION")
		if flaw == "version" {
			version = "9.9.9"
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"version": version, "revision": os.Getenv("SERVICE_REVISION")})
	})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		if flaw == "metrics" {
			fmt.Fprintln(w, "<p>requests: many</p>")
			return
		}
		fmt.Fprintln(w, "# TYPE requests_total counter\nrequests_total 1")
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		if flaw == "cut" {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("part"))
			_ = http.NewResponseController(w).Flush()
			select {} // until the process has ended
		}
		time.Sleep(2 * time.Second)
	})
	return mux
}
