package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for the service: the tests below
// start it again as a process of its own, to see real signals and exit codes.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_SERVICE") != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(t *testing.T, port string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "RUN_SERVICE=1", "PORT="+port,
		"GORACE=atexit_sleep_ms=0") // the race detector sleeps for a second at exit
	return cmd
}

// start runs the service on a free port and waits until it has started.
func start(t *testing.T) (cmd *exec.Cmd, addr string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)

	cmd = command(t, port)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); !strings.Contains(line, `"msg":"started"`) {
		t.Fatalf("not started: %q %v", line, err)
	}
	return cmd, addr
}

// stop sends the signal and returns how long the process took to exit with 0.
func stop(t *testing.T, cmd *exec.Cmd, signal os.Signal) time.Duration {
	t.Helper()
	begin := time.Now()
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("after %s: %v", signal, err)
	}
	return time.Since(begin)
}

func TestStopLetsRequestsFinish(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd, addr := start(t)
			result := make(chan string, 1)
			go func() {
				resp, err := http.Get("http://" + addr + "/slow?seconds=2")
				if err != nil {
					result <- err.Error()
					return
				}
				defer func() { _ = resp.Body.Close() }()
				result <- resp.Status
			}()
			time.Sleep(500 * time.Millisecond) // the request is running now
			if took := stop(t, cmd, signal); took < time.Second || took > 4*time.Second {
				t.Errorf("stopped after %s, want about 1.5s", took)
			}
			if got := <-result; got != "200 OK" {
				t.Errorf("request in flight: %s", got)
			}
		})
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	cmd, addr := start(t)
	conn := dial(t, addr)
	if _, err := fmt.Fprintf(conn, "GET /slow?seconds=30 HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if took := stop(t, cmd, syscall.SIGTERM); took < 4*time.Second || took > 5*time.Second {
		t.Errorf("stopped after %s, want about %s", took, drainTimeout)
	}
}

func TestStopIgnoresIdleConnections(t *testing.T) {
	t.Parallel()
	cmd, addr := start(t)
	dial(t, addr) // never sends a request
	kept := dial(t, addr)
	if _, err := fmt.Fprintf(kept, "GET /health HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(kept).ReadString('\n'); !strings.Contains(line, "200 OK") {
		t.Fatalf("%q %v", line, err)
	}
	if took := stop(t, cmd, syscall.SIGTERM); took > 2*time.Second {
		t.Errorf("stopped after %s", took)
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, takenPort, _ := net.SplitHostPort(taken.Addr().String())

	tests := []struct {
		name, port, log string
		code            int
	}{
		{"port is not a number", "http", "invalid configuration", exitBadConfig},
		{"port is zero", "0", "invalid configuration", exitBadConfig},
		{"port is too large", "65536", "invalid configuration", exitBadConfig},
		{"port is taken", takenPort, "cannot listen", exitFailure},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := command(t, test.port)
			out, _ := cmd.Output()
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(string(out), `"msg":"`+test.log) {
				t.Errorf("log does not say %q: %s", test.log, out)
			}
		})
	}
}
