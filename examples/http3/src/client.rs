//! The client: sends messages to an echo server, compares the echoes, and prints how long it took.

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use quiche::h3::{self, Header, NameValue, WireErrorCode};
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;
use websocket_proto::handshake::{Answer, ClientRequest};
use websocket_proto::{Config, OsEntropy};

use crate::echo::Echo;
use crate::stream::Stream;
use crate::{Failure, udp};

const CONFIG: Config = Config::new();
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Sends `messages` messages of `size` bytes.
pub async fn run(url: &str, certificate: &str, messages: usize, size: usize) -> Result<(), Failure> {
    let request = ClientRequest::from_url(url)?;
    let mut config = udp::config()?;
    config.load_verify_locations_from_file(certificate)?;
    config.verify_peer(true);
    let address = lookup_host((request.host(), request.port()))
        .await?
        .next()
        .ok_or("no such host")?;
    let socket = match address.is_ipv4() {
        true => UdpSocket::bind("0.0.0.0:0").await?,
        false => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?,
    };
    let quic = quiche::connect(
        Some(request.host()),
        &udp::new_id(),
        socket.local_addr()?,
        address,
        &mut config,
    )?;
    let mut client = Client { socket, quic };
    let (mut http, stream) = timeout(HANDSHAKE_TIME, client.open(request)).await??;
    println!("{}", client.echo(&mut http, stream, messages, size).await?);
    client.quic.close(true, WireErrorCode::NoError as u64, b"")?;
    udp::send(&client.socket, &mut client.quic).await?;
    Ok(())
}

struct Client {
    socket: UdpSocket,
    quic: quiche::Connection,
}

impl Client {
    /// Requests a connection, as the first and only request.
    async fn open(&mut self, request: ClientRequest) -> Result<(h3::Connection, Stream), Failure> {
        while !self.quic.is_established() {
            self.wait(None).await?;
        }
        let mut http = h3::Connection::with_transport(&mut self.quic, &udp::http_config()?)?;
        while self.poll(&mut http)?.is_none() && http.peer_settings_raw().is_none() {
            self.wait(None).await?;
        }
        if !http.extended_connect_enabled_by_peer() {
            return Err("the server does not allow extended CONNECT".into());
        }
        let mut handshake = request.start_extended_connect(&CONFIG, OsEntropy);
        let fields: Vec<Header> = handshake
            .fields()
            .map(|(name, value)| Header::new(name.as_bytes(), value))
            .collect();
        let id = http.send_request(&mut self.quic, &fields, false)?;
        loop {
            let list = match self.poll(&mut http)? {
                Some(h3::Event::Headers { list, .. }) => list,
                Some(h3::Event::Reset(code)) => return Err(format!("reset with {code:#x}").into()),
                Some(_) => continue,
                None => {
                    self.wait(None).await?;
                    continue;
                }
            };
            match handshake.receive_fields(list.iter().map(|field| (field.name(), field.value())))? {
                Some(Answer::Accepted { connection, .. }) => return Ok((http, Stream::new(id, connection))),
                Some(Answer::Rejected(response)) => {
                    return Err(format!("rejected with {}", response.status()).into());
                }
                None => {} // an interim response
            }
        }
    }

    /// Echoes all messages over one connection, and closes it.
    async fn echo(
        &mut self,
        http: &mut h3::Connection,
        mut stream: Stream,
        messages: usize,
        size: usize,
    ) -> Result<String, Failure> {
        let mut echo = Echo::begin(stream.endpoint.sender(), messages, size)?;
        while !stream.turn(http, &mut self.quic, |event, sender| echo.react(event, sender)) {
            match self.poll(http)? {
                Some(event) => stream.take(&event),
                None => self.wait(stream.deadline()).await?,
            }
        }
        udp::send(&self.socket, &mut self.quic).await?; // a QUIC connection that is closed sends no FIN
        Ok(echo.result(&stream.into_end(&mut self.quic))?)
    }

    /// The next event of the only stream, if something has arrived.
    fn poll(&mut self, http: &mut h3::Connection) -> Result<Option<h3::Event>, h3::Error> {
        match http.poll(&mut self.quic) {
            Ok((_, event)) => Ok(Some(event)),
            Err(h3::Error::Done) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends what is due, and waits for packets or for the next deadline.
    async fn wait(&mut self, deadline: Option<Instant>) -> Result<(), Failure> {
        udp::send(&self.socket, &mut self.quic).await?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let wait = self.quic.timeout().into_iter().chain(left).min();
        udp::receive(&self.socket, wait.unwrap_or(HANDSHAKE_TIME), |packet, info| {
            _ = self.quic.recv(packet, info); // packets that do not belong to the connection are dropped
        })
        .await?;
        self.quic.on_timeout(); // handles expired timers, if any
        match self.quic.is_closed() {
            true => Err(format!("{:?}", self.quic.peer_error().or(self.quic.local_error())).into()),
            false => Ok(()),
        }
    }
}
