//! What any service has: its operational endpoints, metrics and request log,
//! JSON errors, and a server that stops in bounded time.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, MatchedPath, Query, Request, State};
use axum::http::{Method, StatusCode, header::CONTENT_TYPE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use prometheus::{
    HistogramVec, IntCounterVec, Registry, TextEncoder, register_histogram_vec_with_registry,
    register_int_counter_vec_with_registry,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::error::ApiError;
use crate::{Config, SERVICE, workflow};

/// Bounds the wait for requests in flight, so that the process is gone within
/// five seconds of a stop signal.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(4500);
/// How long a connection may take to send a request head, or sit idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(MAX_SLOW_SECONDS + 10);
const MAX_SLOW_SECONDS: u64 = 30;
const MAX_HEAD: usize = 64 << 10;
const MAX_BODY: usize = 64 << 10;

/// Answers requests until `stop` resolves, then lets those in flight finish
/// for at most [`DRAIN_TIMEOUT`].
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD);
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await; // say, out of file descriptors
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        // It fails when the client goes away or is too slow: nothing to act on.
        tokio::spawn(async { _ = connection.await });
    }
    drop(listener);
    let drained = timeout(DRAIN_TIMEOUT, connections.shutdown()).await;
    if drained.is_err() {
        warn!("requests still running are cut off");
    }
}

/// Wires the operational endpoints and the API.
pub fn router(config: &Config) -> Router {
    let metrics = Metrics::new();
    let ready = json!({
        "service": SERVICE, "version": config.version, "revision": config.revision,
    });
    let exposed = metrics.clone();
    Router::new()
        .route(
            "/health",
            get(async || Json(json!({"status": "ok", "service": SERVICE}))),
        )
        .route("/ready", get(async move || Json(ready)))
        .route("/metrics", get(async move || exposed.render()))
        .route("/slow", get(slow))
        .merge(workflow::router())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(metrics, instrument))
}

#[derive(Deserialize)]
struct Slow {
    seconds: Option<u64>,
}

/// Answers after the given number of seconds; it exists to try out how the
/// service stops while a request is running.
async fn slow(query: Result<Query<Slow>, QueryRejection>) -> Result<Json<Value>, ApiError> {
    let seconds = query.ok().map(|Query(slow)| slow.seconds.unwrap_or(2));
    let Some(seconds) = seconds.filter(|seconds| *seconds <= MAX_SLOW_SECONDS) else {
        return Err(ApiError::bad_request(format!(
            "seconds must be a whole number from 0 to {MAX_SLOW_SECONDS}"
        )));
    };
    sleep(Duration::from_secs(seconds)).await;
    Ok(Json(json!({"seconds": seconds})))
}

#[derive(Clone)]
struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
}

impl Metrics {
    fn new() -> Self {
        let registry = Registry::new();
        let labels = &["method", "route", "status"];
        let requests = register_int_counter_vec_with_registry!(
            "http_requests_total",
            "Requests served.",
            labels,
            registry
        );
        let duration = register_histogram_vec_with_registry!(
            "http_request_duration_seconds",
            "Time to serve a request.",
            labels,
            registry
        );
        Self {
            requests: requests.expect("a valid metric"),
            duration: duration.expect("a valid metric"),
            registry,
        }
    }

    fn render(&self) -> Response {
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
            Err(error) => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
            }
        }
    }
}

/// Counts, times, bounds and logs every request. Metric labels never hold what
/// the client made up, so their number stays bounded.
async fn instrument(
    State(metrics): State<Metrics>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let response = match timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(StatusCode::REQUEST_TIMEOUT, "took too long").into_response(),
    };
    let elapsed = start.elapsed().as_secs_f64();

    let route = path.as_ref().map_or("unmatched", MatchedPath::as_str);
    let status = response.status();
    let method_label = match method {
        Method::GET | Method::HEAD | Method::POST => method.as_str(),
        _ => "other",
    };
    let labels = [method_label, route, status.as_str()];
    metrics.requests.with_label_values(&labels).inc();
    metrics.duration.with_label_values(&labels).observe(elapsed);
    info!(
        method = method.as_str(),
        route,
        status = status.as_u16(),
        ms = elapsed * 1000.0,
        "request"
    );
    response
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    pub fn test_router() -> Router {
        router(&Config {
            port: 0,
            version: "1.2.3".into(),
            revision: "abc".into(),
        })
    }

    /// Sends a JSON request and returns the status and the body of the answer.
    pub async fn send(
        router: &Router,
        method: &str,
        uri: &str,
        body: impl Into<Body>,
    ) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(CONTENT_TYPE, "application/json")
            .body(body.into())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn operational_endpoints() {
        let router = test_router();
        let health = format!(r#"{{"service":"{SERVICE}","status":"ok"}}"#);
        let ready = format!(r#"{{"revision":"abc","service":"{SERVICE}","version":"1.2.3"}}"#);
        for (uri, status, want) in [
            ("/health", 200, health.as_str()),
            ("/ready", 200, &ready),
            ("/slow?seconds=0", 200, r#"{"seconds":0}"#),
            ("/slow?seconds=31", 400, r#"{"error":"#),
            ("/slow?seconds=-1", 400, r#"{"error":"#),
            ("/slow?seconds=1.5", 400, r#"{"error":"#),
            ("/slow?seconds=", 400, r#"{"error":"#),
            ("/missing", 404, ""),
            (
                "/metrics",
                200,
                r#"http_requests_total{method="GET",route="/health",status="200"} 1"#,
            ),
            (
                "/metrics",
                200,
                r#"http_requests_total{method="GET",route="/slow",status="400"} 4"#,
            ),
            (
                "/metrics",
                200,
                r#"http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
            ),
            (
                "/metrics",
                200,
                r#"http_request_duration_seconds_count{method="GET",route="/ready",status="200"} 1"#,
            ),
        ] {
            let (got, body) = send(&router, "GET", uri, "").await;
            assert_eq!(got, status, "{uri}: {body}");
            assert!(body.contains(want), "{uri}: {body}");
        }
    }

    #[tokio::test]
    async fn slow_waits() {
        let start = Instant::now();
        let (status, _) = send(&test_router(), "GET", "/slow?seconds=1", "").await;
        assert_eq!(status, 200);
        assert!(start.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test]
    async fn bodies_are_limited() {
        let (status, body) = send(
            &test_router(),
            "POST",
            "/workflows",
            vec![b' '; MAX_BODY + 1],
        )
        .await;
        assert_eq!(status, 413);
        assert!(body.starts_with(r#"{"error":"#), "{body}");
    }
}
