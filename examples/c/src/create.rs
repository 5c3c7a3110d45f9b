//! Creating and freeing endpoints.

use std::mem::MaybeUninit;
use std::time::Duration;

use websocket_proto::OsEntropy;
use websocket_proto::endpoint::{Endpoint, EndpointConfig};
use websocket_proto::handshake::ClientRequest;

use crate::bytes::{wsp_bytes, wsp_fields, wsp_list};
use crate::code::wsp_code;
use crate::config::wsp_config;
use crate::edge::{enter, enter_without, out};
use crate::entropy::{Callback, wsp_entropy};
use crate::opening::Opening;
use crate::owner::Owner;
use crate::table::{self, wsp_endpoint};

/// What a handle is of.
pub struct Entry {
    pub owner: Owner,
    pub opening: Opening,
    /// The text of the end, once it was asked for.
    pub end: Option<String>,
}

/// What a client asks for. Everything is copied. `wsp_client_request request = {0};` and then the URL is enough.
#[repr(C)]
pub struct wsp_client_request {
    /// Such as `wss://example.com/chat?room=1`.
    pub url: wsp_bytes,
    /// The Origin field, which browsers send. Empty: none.
    pub origin: wsp_bytes,
    /// The subprotocols to offer, in the order of preference.
    pub subprotocols: wsp_list,
    /// Further fields, such as Authorization.
    pub fields: wsp_fields,
}

/// Where a client connects to.
#[repr(C)]
pub struct wsp_address {
    /// The host: a name, or an IP address, without the brackets of IPv6. Valid until the endpoint is freed.
    pub host: wsp_bytes,
    /// The port, also if the URL has none.
    pub port: u16,
    /// Whether the scheme asks for TLS, which the program then brings.
    pub secure: bool,
}

/// The parts of an address, kept for the program.
pub struct Address {
    host: Box<str>,
    port: u16,
    secure: bool,
}

/// Creates the server's end of a transport on which a client is about to send its request.
///
/// `config`: only read during the call; NULL for the default. `now`: nanoseconds of a monotonic clock, the same clock in all calls on
/// the endpoint, such as CLOCK_MONOTONIC. `endpoint`: not NULL; receives the handle, which `wsp_free` has to free.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_server_new(
    config: Option<&wsp_config>,
    now: u64,
    endpoint: Option<&mut MaybeUninit<wsp_endpoint>>,
) -> wsp_code {
    enter_without(|| {
        let endpoint = out(endpoint)?;
        let server = Endpoint::server(&wsp_config::to_rust(config)?, Duration::from_nanos(now));
        endpoint.write(insert(server, None)?);
        Ok(())
    })
}

/// Creates the client's end of a transport. Its request waits in the output. The transport, TLS included, may be connected after this
/// call: `wsp_client_address` says where to. The time that it takes is part of `wsp_config.open_timeout`.
///
/// `request`: not NULL; only read during the call. `entropy`: copied; NULL for the generator of the operating system. The others are as
/// for `wsp_server_new`.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_client_new(
    config: Option<&wsp_config>,
    request: Option<&wsp_client_request>,
    entropy: Option<&wsp_entropy>,
    now: u64,
    endpoint: Option<&mut MaybeUninit<wsp_endpoint>>,
) -> wsp_code {
    enter_without(|| {
        let endpoint = out(endpoint)?;
        let config = wsp_config::to_rust(config)?;
        let request = request.ok_or(wsp_code::NullPointer)?.to_rust()?;
        let address = Address {
            host: request.host().into(),
            port: request.port(),
            secure: request.is_secure(),
        };
        let client = client(&config, request, entropy, Duration::from_nanos(now))?;
        endpoint.write(insert(client, Some(address))?);
        Ok(())
    })
}

fn client(
    config: &EndpointConfig,
    request: ClientRequest,
    entropy: Option<&wsp_entropy>,
    now: Duration,
) -> Result<Endpoint, wsp_code> {
    let Some(&wsp_entropy { fill, context }) = entropy else {
        return Ok(Endpoint::client(config, request, OsEntropy, now));
    };
    let fill = fill.ok_or(wsp_code::NullPointer)?;
    Ok(Endpoint::client(config, request, Callback { fill, context }, now))
}

pub fn insert(endpoint: Endpoint, address: Option<Address>) -> Result<wsp_endpoint, wsp_code> {
    table::insert(Box::new(Entry {
        owner: Owner::new(endpoint),
        opening: Opening::new(address),
        end: None,
    }))
}

/// Returns where the URL of a client leads to. `WSP_CODE_NOT_FOUND` for a server.
///
/// `address`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_client_address(
    endpoint: wsp_endpoint,
    address: Option<&mut MaybeUninit<wsp_address>>,
) -> wsp_code {
    enter(endpoint, |entry| {
        let address = out(address)?;
        let Address { host, port, secure } = entry.opening.address.as_ref().ok_or(wsp_code::NotFound)?;
        address.write(wsp_address {
            host: wsp_bytes::lend(host.as_bytes()),
            port: *port,
            secure: *secure,
        });
        Ok(())
    })
}

/// Frees an endpoint, in whatever state it is, and everything that it lent. The transport is the program's to close.
///
/// A handle that was freed before is refused with `WSP_CODE_STALE_HANDLE`.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_free(endpoint: wsp_endpoint) -> wsp_code {
    enter_without(|| table::remove(endpoint).map(drop))
}

/// Returns how many endpoints of the process are not freed, which a program can check at its end.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_endpoint_count() -> usize {
    table::count()
}

impl wsp_client_request {
    fn to_rust(&self) -> Result<ClientRequest, wsp_code> {
        let mut request = ClientRequest::from_url(self.url.as_text()?)?;
        if self.origin.len() > 0 {
            request = request.with_origin(self.origin.as_text()?)?;
        }
        for name in self.subprotocols.texts()? {
            request = request.with_subprotocol(name)?;
        }
        for (name, value) in self.fields.pairs()? {
            request = request.with_field(name, value)?;
        }
        Ok(request)
    }
}
