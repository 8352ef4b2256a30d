//! Decides requests by policies; each agent decides alone, by the rules it is given.

mod error;
mod policy;
mod server;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

const SERVICE: &str = "agent";
const DEFAULT_PORT: u16 = 9001;

const EXIT_FAILURE: u8 = 1;
const EXIT_BAD_CONFIG: u8 = 2;

pub struct Config {
    port: u16,
    version: String,
    revision: String,
}

impl Config {
    /// Reads the settings through `var`; unset and empty ones get defaults.
    fn load(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let var = |name| var(name).filter(|value| !value.is_empty());
        let port = match var("PORT") {
            None => DEFAULT_PORT,
            Some(value) => value
                .parse::<NonZeroU16>()
                .map_err(|_| format!("PORT must be a number from 1 to 65535, got {value:?}"))?
                .get(),
        };
        Ok(Self {
            port,
            version: var("SERVICE_VERSION").unwrap_or_else(|| "dev".into()),
            revision: var("SERVICE_REVISION").unwrap_or_else(|| "unknown".into()),
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .init();
    let config = match Config::load(env) {
        Ok(config) => config,
        Err(error) => {
            error!(error, "invalid configuration");
            return EXIT_BAD_CONFIG.into();
        }
    };
    match run(&config).await {
        Ok(()) => {
            info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!(%error, port = config.port, "cannot listen");
            EXIT_FAILURE.into()
        }
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

async fn run(config: &Config) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = listen(config.port).await?;
    info!(
        service = SERVICE,
        addr = %listener.local_addr()?,
        version = config.version,
        revision = config.revision,
        "started"
    );
    let stop = async move {
        let signal = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal, "stopping");
    };
    server::serve(listener, server::router(config), stop).await;
    Ok(())
}

/// Listens on all interfaces: IPv6 with IPv4, or IPv4 alone where IPv6 is off.
async fn listen(port: u16) -> std::io::Result<TcpListener> {
    let addrs: [SocketAddr; 2] = [
        (Ipv6Addr::UNSPECIFIED, port).into(),
        (Ipv4Addr::UNSPECIFIED, port).into(),
    ];
    TcpListener::bind(&addrs[..]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_validated() {
        for (value, want) in [
            (None, Some(DEFAULT_PORT)),
            (Some(""), Some(DEFAULT_PORT)),
            (Some("8080"), Some(8080)),
            (Some("0"), None),
            (Some("65536"), None),
            (Some("http"), None),
        ] {
            let config = Config::load(|name| value.filter(|_| name == "PORT").map(String::from));
            assert_eq!(config.ok().map(|c| c.port), want, "PORT={value:?}");
        }
    }
}
