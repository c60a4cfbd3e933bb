//! The connection's bytes: TCP, or TLS over it. Nothing here waits.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::address::Address;
use crate::link::trouble::Trouble;

/// A connection that waits for nothing: what can't be done yet is `WouldBlock`.
pub enum Wire {
    /// Without TLS.
    Plain(TcpStream),
    /// With it.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Takes a connection to `address`, over which nothing has gone yet.
    ///
    /// # Errors
    /// TLS is needed, and the system has no root certificates.
    pub fn new(stream: TcpStream, address: &Address) -> Result<Self, Trouble> {
        if !address.is_tls {
            return Ok(Self::Plain(stream));
        }
        let name = ServerName::try_from(address.host.clone()).map_err(|_| Trouble::Name)?;
        let config = Arc::new(client_config()?);
        let tls = ClientConnection::new(config, name).map_err(|error| Trouble::Tls(error.to_string()))?;
        Ok(Self::Tls(Box::new(StreamOwned::new(tls, stream))))
    }

    /// Returns the socket, to be registered.
    pub fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(tls) => &mut tls.sock,
        }
    }
}

/// Returns what TLS needs. The roots are read anew for each connection: a new one counts without a restart.
fn client_config() -> Result<ClientConfig, Trouble> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let named = std::env::var_os("SSL_CERT_FILE").map(|file| file.to_string_lossy().into_owned());
        return Err(Trouble::NoRoots(named));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Trouble::Tls(error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
