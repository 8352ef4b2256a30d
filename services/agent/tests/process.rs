//! Starts the service as a process of its own, to see real signals and exit codes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// A running service; it is killed should its test fail.
struct Service {
    child: Child,
    port: u16,
    _stdout: BufReader<ChildStdout>,
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn command(port: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent"));
    command.env("PORT", port);
    command
}

impl Service {
    /// Runs the service on a free port and waits until it has started.
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = command(&port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let service = Self {
            child,
            port,
            _stdout: stdout,
        };
        assert!(line.contains(r#""message":"started""#), "{line}");
        service
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    fn get(&self, path: &str) -> TcpStream {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        stream
    }

    /// Sends the signal and returns how long the process took to exit with 0.
    fn stop(mut self, signal: &str) -> Duration {
        let start = Instant::now();
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        start.elapsed()
    }
}

#[test]
fn stop_lets_requests_finish() {
    for signal in ["TERM", "INT"] {
        let service = Service::start();
        let mut stream = service.get("/slow?seconds=2");
        let answer = thread::spawn(move || {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        sleep(Duration::from_millis(500)); // the request is running now
        let took = service.stop(signal).as_secs_f64();
        assert!(
            (1.0..4.0).contains(&took),
            "stopped after {took} s, want about 1.5"
        );
        let answer = answer.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}

#[test]
fn stop_is_bounded() {
    let service = Service::start();
    let _stream = service.get("/slow?seconds=30");
    sleep(Duration::from_millis(500));
    let took = service.stop("TERM").as_secs_f64();
    assert!(
        (4.0..5.0).contains(&took),
        "stopped after {took} s, want about 4.5"
    );
}

#[test]
fn stop_ignores_idle_connections() {
    let service = Service::start();
    let _unused = service.connect();
    let mut kept = service.get("/health");
    let mut head = [0; 15];
    kept.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    sleep(Duration::from_millis(100));
    let took = service.stop("TERM").as_secs_f64();
    assert!(took < 2.0, "stopped after {took} s");
}

#[test]
fn exit_codes() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let taken_port = taken.local_addr().unwrap().port().to_string();
    for (port, code, log) in [
        ("http", 2, "invalid configuration"),
        ("0", 2, "invalid configuration"),
        ("65536", 2, "invalid configuration"),
        (&taken_port, 1, "cannot listen"),
    ] {
        let output = command(port).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "PORT={port}: {stdout}");
        assert!(stdout.contains(log), "PORT={port}: {stdout}");
    }
}
