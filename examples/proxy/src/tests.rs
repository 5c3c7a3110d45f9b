//! Every byte is relayed unchanged, and the frames are counted however the bytes are split.

use meter::Count;

use super::*;

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\r\n";
const RESPONSES: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
    HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

/// Includes frames that an endpoint would reject: with reserved bits and opcodes, masked or not, and with non-minimal
/// lengths.
fn frames() -> Vec<u8> {
    let mut bytes = Vec::new();
    for first in [0x82, 0xf1, 0x03, 0x89, 0x0f] {
        bytes.extend([first, 0]);
        bytes.extend([first, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        bytes.extend([first, 126, 0, 1, 0xff]);
        bytes.extend([first, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        bytes.extend((0..65536_u32).map(|number| number.to_le_bytes()[0]));
    }
    bytes
}

fn frames_counted() -> Count {
    Count {
        data_frames: 3 * 4,
        control_frames: 2 * 4,
        bytes: 5 * (5 + 1 + 65536),
    }
}

#[test]
fn bytes_go_through_unchanged() {
    let up = [REQUEST, &frames()].concat();
    let down = [RESPONSES, &frames(), b"\x88\x00"].concat();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (upstream, address) = (
        server.local_addr().unwrap().to_string(),
        listener.local_addr().unwrap(),
    );
    thread::scope(|scope| {
        let client = scope.spawn(|| exchange(TcpStream::connect(address).unwrap(), &up, 1000));
        let server = scope.spawn(|| exchange(server.accept().unwrap().0, &down, 77));
        let (counted_up, counted_down) = serve(listener.accept().unwrap().0, &upstream).unwrap();
        assert!(client.join().unwrap() == down);
        assert!(server.join().unwrap() == up);
        assert_eq!(counted_up.count, frames_counted());
        let control_frames = frames_counted().control_frames + 1;
        assert_eq!(
            counted_down.count,
            Count {
                control_frames,
                ..frames_counted()
            }
        );
    });
}

/// A server that answers at the end of what the client sends, which is not the end of the connection.
#[test]
fn a_fin_goes_through_while_the_other_direction_continues() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let upstream = server.local_addr().unwrap().to_string();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = server.accept().unwrap().0;
            if matches!(receive_all(&stream), Ok(received) if received == REQUEST) {
                _ = stream.write_all(RESPONSES);
            }
        });
        scope.spawn(|| serve(listener.accept().unwrap().0, &upstream));
        client.write_all(REQUEST).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(receive_all(&client).unwrap(), RESPONSES);
    });
}

/// Receives until the FIN. If it is not passed on, this fails after a time in which it would have arrived.
fn receive_all(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    Ok(received)
}

/// Writes `bytes` in pieces of `size` bytes, and returns everything that is received.
fn exchange(stream: TcpStream, bytes: &[u8], size: usize) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(|| {
            bytes
                .chunks(size)
                .for_each(|piece| (&stream).write_all(piece).unwrap());
            stream.shutdown(Shutdown::Write).unwrap();
        });
        receive_all(&stream).unwrap()
    })
}

#[test]
fn frames_are_counted_however_the_bytes_are_split() {
    let bytes = [RESPONSES, &frames()].concat();
    for size in [1, 2, 3, 13, 1000, bytes.len()] {
        let mut meter = Meter::default();
        bytes.chunks(size).for_each(|piece| meter.see(piece));
        assert_eq!(meter.count, frames_counted(), "in pieces of {size}");
    }
}

#[test]
fn other_protocols_have_no_frames() {
    for head in ["HTTP/1.1 426 Upgrade Required\r\n\r\n", &"x".repeat(1 << 20)] {
        let mut meter = Meter::default();
        meter.see(head.as_bytes());
        meter.see(&frames());
        assert_eq!(meter.count, Count::default());
    }
}

#[test]
fn an_unreachable_upstream_gives_502() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(serve(listener.accept().unwrap().0, "127.0.0.1:1").is_err());
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 "));
}
