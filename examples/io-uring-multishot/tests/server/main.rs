//! The server with clients on blocking sockets in this process, and settings that make rare events of the kernel's ring common.
//! A kernel that refuses io_uring fails these tests.
#![cfg(target_os = "linux")]

mod running;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use embedding_io_uring_multishot::Config;
use running::{BINARY, CLOSE, Client, Counted, HEAD, LINGER_TIMEOUT, PING, PONG, Running, TEXT, frame};
use websocket_proto::keepalive::KeepaliveConfig;

/// Logs nothing, and sends no Ping while a test lasts.
fn quiet() -> Config {
    Config {
        on_end: |_| {},
        keepalive: KeepaliveConfig::new().ping_interval(Duration::from_secs(60)),
        linger_timeout: LINGER_TIMEOUT,
        ..Config::default()
    }
}

/// Different for each pair of numbers, and of this size.
fn payload(client: usize, message: usize, size: usize) -> Vec<u8> {
    let words = format!("client {client}, message {message}; ");
    let mut bytes = words.repeat(size / words.len() + 1).into_bytes();
    bytes.truncate(size);
    bytes
}

/// In each round, all clients send a message of this size before any of them reads its echo.
fn echo_at_once(clients: &mut [Client], rounds: usize, size: usize) {
    for round in 0..rounds {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(TEXT, &payload(number, round, size));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.expect(TEXT, &payload(number, round, size));
        }
    }
}

#[test]
fn complete_messages_are_lent_from_the_kernels_buffer_and_allocate_nothing() {
    const MESSAGES: u64 = 1000;
    let server = Running::start(quiet());
    let mut client = Client::open(&server);
    let mut exchange = |times| {
        for number in 0..times {
            let kind = if number % 2 == 0 { TEXT } else { BINARY };
            client.echo(kind, &payload(0, number as usize, 125));
        }
    };
    exchange(100);
    let before = server.wait("warm", |counters| counters.in_place == 100);
    exchange(MESSAGES);
    let after = server.wait("all", |counters| counters.in_place >= 100 + MESSAGES);
    assert_eq!((after.in_place, after.copied), (100 + MESSAGES, 0));
    assert_eq!(after.allocations - before.allocations, 0);
}

#[test]
fn many_complete_messages_in_one_buffer_are_all_lent() {
    let server = Running::start(quiet());
    let mut client = Client::open(&server);
    let messages: Vec<_> = (0..100).map(|number| payload(0, number, 120)).collect();
    let frames: Vec<u8> = messages.iter().flat_map(|message| frame(TEXT, message)).collect();
    assert!(frames.len() < Config::default().buffer_size);
    client.stream.write_all(&frames).unwrap();
    for message in &messages {
        client.expect(TEXT, message);
    }
    let counters = server.wait("all", |counters| counters.in_place + counters.copied == 100);
    assert_eq!(counters.copied, 0);
}

#[test]
fn messages_split_over_small_buffers_arrive_complete() {
    for buffer_size in [1, 2, 13, 64, 1000] {
        let server = Running::start(Config {
            buffer_size,
            buffers: 8,
            ..quiet()
        });
        let mut client = Client::open(&server);
        for size in [0, 1, 3, 20, 125, 126, 1000, 5000] {
            client.echo(BINARY, &payload(1, size, size));
        }
        let counters = server.wait("all", |counters| counters.in_place + counters.copied == 8);
        assert!(counters.copied > 0, "{counters:?}");
        assert!(buffer_size < 1000 || counters.in_place >= 6, "{counters:?}");
    }
}

#[test]
fn more_connections_than_buffers_receive_at_the_same_time() {
    const CLIENTS: usize = 200;
    let server = Running::start(Config {
        buffers: 2,
        buffer_size: 100,
        ..quiet()
    });
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::open(&server)).collect();
    echo_at_once(&mut clients, 5, 300);
    assert!(server.counters().starved > 0);
    clients.into_iter().for_each(Client::close);
    server.wait("end", Counted::is_idle);
}

#[test]
fn a_busy_connection_does_not_keep_others_from_a_buffer() {
    let server = Running::start(Config {
        buffers: 1,
        buffer_size: 512,
        ..quiet()
    });
    let mut busy = Client::open(&server);
    let mut reader = Client {
        stream: busy.stream.try_clone().unwrap(),
    };
    let mut other = Client::open(&server);
    const MESSAGES: usize = 5000;
    let writer = std::thread::spawn(move || (0..MESSAGES).for_each(|_| busy.send(BINARY, &[7; 400])));
    for number in 0..50 {
        other.echo(TEXT, &payload(1, number, 100));
    }
    for _ in 0..MESSAGES {
        reader.expect(BINARY, &[7; 400]);
    }
    writer.join().unwrap();
    assert!(server.counters().starved > 0);
}

#[test]
fn a_thousand_connections_share_the_buffers() {
    const CLIENTS: usize = 1000;
    let server = Running::start(Config {
        buffers: 64,
        ..quiet()
    });
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::open(&server)).collect();
    echo_at_once(&mut clients, 2, 125);
    let counters = server.wait("all", |counters| counters.in_place == 2 * CLIENTS as u64);
    assert_eq!(
        (counters.clients, counters.operations),
        (CLIENTS, CLIENTS + 1),
        "only receives are in progress"
    );
    clients.into_iter().for_each(Client::close);
    server.wait("end", Counted::is_idle);
}

#[test]
fn completions_that_do_not_fit_the_queue_are_not_lost() {
    const CLIENTS: usize = 100;
    let server = Running::start(Config {
        submissions: 2,
        completions: 2,
        ..quiet()
    });
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::open(&server)).collect();
    echo_at_once(&mut clients, 20, 125);
    assert!(server.counters().overflows > 0);
    clients.into_iter().for_each(Client::close);
    server.wait("end", Counted::is_idle);
}

#[test]
fn sizes_of_queues_that_the_kernel_refuses_are_replaced() {
    for (submissions, completions) in [(0, 0), (u32::MAX, 0), (u32::MAX, u32::MAX)] {
        let server = Running::start(Config {
            submissions,
            completions,
            ..quiet()
        });
        Client::open(&server).echo(TEXT, b"hello");
    }
}

/// A client that does not read is not read from, others are served, and nothing is lost once it reads.
#[test]
fn slow_readers_use_bounded_memory_and_get_everything() {
    const SLOW: usize = 4;
    const SIZE: usize = 4000;
    let max_buffered = 64 * 1024;
    let config = Config {
        max_buffered,
        write_timeout: Duration::from_secs(60),
        ..quiet()
    };
    let all_buffers = usize::from(config.buffers) * config.buffer_size;
    let server = Running::start(config);
    let mut slow: Vec<_> = (0..SLOW).map(|_| Client::open(&server)).collect();
    let floods: Vec<_> = slow
        .iter_mut()
        .enumerate()
        .map(|(number, client)| client.flood(number, SIZE))
        .collect();
    assert!(
        floods.iter().all(|flood| flood.accepted > max_buffered),
        "{:?}",
        floods[0].accepted
    );

    Client::open(&server).echo(TEXT, b"others are served");
    let counters = server.counters();
    assert!(counters.stopped >= SLOW as u64, "{counters:?}");
    // The last message decoded may exceed the limit.
    assert!(counters.most_waiting <= max_buffered + SIZE + 4, "{counters:?}");
    assert!(counters.most_held <= all_buffers, "{counters:?}");

    for (number, (mut client, flood)) in slow.into_iter().zip(floods).enumerate() {
        let mut writer = Client {
            stream: client.stream.try_clone().unwrap(),
        };
        let rest = std::thread::spawn(move || writer.stream.write_all(&flood.unsent).unwrap());
        for message in 0..flood.messages {
            client.expect(BINARY, &payload(number, message, SIZE));
        }
        rest.join().unwrap();
        client.close();
    }
    let counters = server.wait("end", Counted::is_idle);
    assert!(counters.most_waiting <= max_buffered + SIZE + 4, "{counters:?}");
}

#[test]
fn a_client_that_never_reads_is_dropped_and_its_completions_are_late() {
    let write_timeout = Duration::from_millis(300);
    let server = Running::start(Config {
        max_buffered: 64 * 1024,
        write_timeout,
        ..quiet()
    });
    let mut client = Client::open(&server);
    client.flood(0, 4000);
    let counters = server.wait("dropped", Counted::is_idle);
    assert!(counters.late > 0, "{counters:?}");
    let mut other = Client::open(&server); // at the place, and with the descriptor, of the first
    other.echo(TEXT, b"its own messages only");
}

#[test]
fn a_large_message_is_sent_in_parts() {
    const SIZE: usize = 16 << 20;
    let connection = websocket_proto::Config::new().max_message_size(SIZE as u64);
    let server = Running::start(Config {
        connection,
        ..quiet()
    });
    let mut client = Client::open(&server);
    let message = payload(0, 0, SIZE);
    client.send(BINARY, &message);
    std::thread::sleep(Duration::from_millis(200));
    client.expect(BINARY, &message);
    let counters = server.wait("all", |counters| counters.copied == 1);
    assert!(counters.partial_sends > 0, "{counters:?}");
}

/// Connections that are reset with everything in progress, while others use their places and their descriptors.
#[test]
fn resets_do_not_disturb_those_who_get_the_descriptor_next() {
    let server = Running::start(Config {
        max_buffered: 16 * 1024,
        ..quiet()
    });
    for round in 0..100 {
        let mut victim = Client::open(&server);
        victim.stream.set_nonblocking(true).unwrap();
        // Fills what the sockets hold in some rounds only.
        for _ in 0..round % 4 * 500 {
            _ = victim.stream.write(&frame(BINARY, &[round as u8; 4000]));
        }
        victim.reset();
        let mut next = Client::open(&server);
        next.echo(TEXT, &payload(round, 0, 300));
        next.close();
    }
    let counters = server.wait("end", Counted::is_idle);
    assert_eq!(counters.accepted, 200);
}

#[test]
fn the_end_of_the_transport_is_noticed_everywhere() {
    let server = Running::start(quiet());
    let close = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    };
    let request = HEAD.as_bytes();
    assert!(close(b"").is_empty());
    assert!(close(&request[..40]).is_empty());
    let response = close(request);
    assert!(response.starts_with(b"HTTP/1.1 101 ") && response.ends_with(b"\r\n\r\n"));
    // In a header, in a payload, and between fragments.
    for part in [
        &b"\x81"[..],
        b"\x81\xfe\x01",
        b"\x81\x85\0\0\0\0Hel",
        b"\x01\x85\0\0\0\0Hello",
    ] {
        assert_eq!(close(&[request, part].concat()), response);
    }
    // Messages before the end are echoed, and the end follows.
    let hello = [request, b"\x81\x85\0\0\0\0Hello"].concat();
    assert_eq!(close(&hello), [&response, &b"\x81\x05Hello"[..]].concat());
    server.wait("end", Counted::is_idle);
}

#[test]
fn frames_behind_the_request_are_decoded() {
    let server = Running::start(quiet());
    let stream = TcpStream::connect(server.address).unwrap();
    let mut client = Client { stream };
    let first = [HEAD.as_bytes(), &frame(TEXT, b"early")].concat();
    client.stream.write_all(&first).unwrap();
    client.read_head();
    client.expect(TEXT, b"early");
    client.close();
}

/// After the Close, writing is shut down and input is drained: a reset would overtake the Close (RFC 6455 section 7.1.1).
#[test]
fn what_follows_the_close_is_drained() {
    let server = Running::start(Config {
        max_buffered: 1024,
        ..quiet()
    });
    for _ in 0..5 {
        let mut client = Client::open(&server);
        client.send(CLOSE, &1000u16.to_be_bytes());
        for _ in 0..50 {
            client.send(BINARY, &[7; 4000]);
            std::thread::sleep(Duration::from_millis(1));
        }
        client.expect(CLOSE, &1000u16.to_be_bytes());
        client.expect_end();
        drop(client);
        server.wait("end", Counted::is_idle);
    }
}

#[test]
fn a_close_behind_unread_messages_is_sent_in_its_turn() {
    let server = Running::start(Config {
        max_buffered: 1024,
        ..quiet()
    });
    let mut client = Client::open(&server);
    for number in 0..50 {
        client.send(BINARY, &payload(0, number, 4000));
    }
    client.send(CLOSE, b"");
    std::thread::sleep(Duration::from_millis(100));
    for number in 0..50 {
        client.expect(BINARY, &payload(0, number, 4000));
    }
    client.expect(CLOSE, b"");
    client.expect_end();
}

#[test]
fn a_client_that_does_not_end_the_transport_is_dropped_after_the_linger_timeout() {
    let linger_timeout = Duration::from_millis(200);
    let server = Running::start(Config {
        linger_timeout,
        ..quiet()
    });
    let mut client = Client::open(&server);
    let began = Instant::now();
    client.send(CLOSE, b"");
    client.expect(CLOSE, b"");
    server.wait("dropped", Counted::is_idle);
    assert!(began.elapsed() >= linger_timeout);
}

/// Clients that never end the transport, and so are dropped while completions for them wait behind a short queue.
#[test]
fn no_buffer_is_lost_when_clients_leave() {
    let linger_timeout = Duration::from_millis(50);
    let server = Running::start(Config {
        submissions: 2,
        completions: 2,
        buffer_size: 256,
        linger_timeout,
        ..quiet()
    });
    let flood = || {
        let mut client = Client::open(&server);
        client.send(CLOSE, b"");
        client.expect(CLOSE, b"");
        let bytes = frame(BINARY, &[7; 60_000]);
        while client.stream.write_all(&bytes).is_ok() {}
    };
    std::thread::scope(|threads| (0..20).for_each(|_| _ = threads.spawn(flood)));
    let counters = server.wait("end", Counted::is_idle);
    assert!(counters.late > 0, "{counters:?}");
    Client::open(&server).echo(TEXT, b"hello");
}

#[test]
fn silent_clients_are_dropped_and_those_that_answer_pings_are_not() {
    let short = Duration::from_millis(400);
    let keepalive = KeepaliveConfig::new()
        .open_timeout(short)
        .ping_interval(short)
        .ping_timeout(short);
    let server = Running::start(Config {
        keepalive,
        linger_timeout: short,
        ..quiet()
    });
    let mut alive = Client::open(&server);
    let _silent = Client::open(&server);
    let mut unopened = TcpStream::connect(server.address).unwrap();
    unopened.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut pings = 0;
    while server.counters().clients > 1 || pings < 3 {
        let (opcode, payload) = alive.read_frame();
        assert_eq!(opcode, PING);
        alive.send(PONG, &payload);
        pings += 1;
        assert!(pings < 100, "the others are still there");
    }
    let mut response = Vec::new();
    unopened.read_to_end(&mut response).unwrap();
    assert!(response.starts_with(b"HTTP/1.1 408 "));
    alive.echo(TEXT, b"alive");
}

/// A Pong may have to wait behind a message, so anything received counts.
#[test]
fn a_client_that_sends_messages_instead_of_pongs_is_alive() {
    let (interval, timeout) = (Duration::from_millis(100), Duration::from_millis(400));
    let keepalive = KeepaliveConfig::new()
        .ping_interval(interval)
        .ping_timeout(timeout);
    let server = Running::start(Config { keepalive, ..quiet() });
    let mut client = Client::open(&server);
    let began = Instant::now();
    let mut pings = 0;
    while began.elapsed() < 4 * timeout {
        std::thread::sleep(interval / 10);
        client.send(TEXT, b"busy");
        while client.read_frame().0 == PING {
            pings += 1;
        }
    }
    assert!(pings > 2, "{pings}");
    client.stream.shutdown(Shutdown::Write).unwrap();
}

#[test]
fn a_violation_is_answered_with_a_close() {
    let server = Running::start(quiet());
    let mut client = Client::open(&server);
    client.stream.write_all(b"\x81\x02hi").unwrap(); // not masked (RFC 6455 section 5.1)
    let (opcode, payload) = client.read_frame();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1002u16.to_be_bytes()[..]));
    client.expect_end();
}

/// Receives, blocked sends and the accept are in progress. The kernel uses memory of all of them.
#[test]
fn dropping_the_server_ends_all_operations() {
    let server = Running::start(Config {
        max_buffered: 16 * 1024,
        ..quiet()
    });
    let mut clients: Vec<_> = (0..50).map(|_| Client::open(&server)).collect();
    clients
        .iter_mut()
        .take(5)
        .for_each(|client| _ = client.flood(0, 4000));
    assert!(server.counters().operations >= 50);
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for client in &mut clients {
        client.stream.set_nonblocking(false).unwrap();
        let mut rest = Vec::new();
        match client.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

/// More of them than are received directly in one turn.
#[test]
fn large_messages_of_many_clients_are_received_in_turn_and_sent_in_place() {
    const CLIENTS: usize = 50;
    const ROUNDS: usize = 5;
    let server = Running::start(quiet());
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::open(&server)).collect();
    echo_at_once(&mut clients, ROUNDS, 64 * 1024);
    let counters = server.counters();
    let messages = (CLIENTS * ROUNDS) as u64;
    assert!(counters.sent_in_place >= messages, "{counters:?}");
    let all_but_the_first = ((ROUNDS - 1) * CLIENTS * 64 * 1024) as u64;
    assert!(counters.received_directly >= all_but_the_first, "{counters:?}");
    clients.into_iter().for_each(Client::close);
    server.wait("end", Counted::is_idle);
}

#[test]
fn a_limit_of_nothing_for_output_is_replaced_by_the_least() {
    let server = Running::start(Config {
        max_buffered: 0,
        ..quiet()
    });
    let mut client = Client::open(&server);
    client.send(TEXT, b"first");
    client.send(TEXT, b"second");
    client.expect(TEXT, b"first");
    client.expect(TEXT, b"second");
    client.echo(BINARY, &payload(0, 0, 100_000));
    client.close();
}

/// More messages than the sockets hold, with control frames between them, for clients that read late: sends are partial, and the
/// memory of a message must not be used for another one before it is sent.
/// RFC 6455 section 5.5: the replies are in the order of what they reply to.
#[test]
fn slow_readers_get_large_messages_complete_and_in_order() {
    const SIZE: usize = 1 << 20;
    const MESSAGES: usize = 12;
    let server = Running::start(quiet());
    let mut slow: Vec<_> = (0..3).map(|_| Client::open(&server)).collect();
    let writers: Vec<_> = (0..slow.len())
        .map(|number| {
            let mut writer = Client {
                stream: slow[number].stream.try_clone().unwrap(),
            };
            std::thread::spawn(move || {
                for message in 0..MESSAGES {
                    writer.send(BINARY, &payload(number, message, SIZE - message));
                    writer.send(PING, &payload(number, message, 100));
                }
                writer.send(CLOSE, b"");
            })
        })
        .collect();
    server.wait("full", |counters| {
        counters.stopped > 0 || counters.partial_sends > 2
    });
    let mut other = Client::open(&server);
    (0..20).for_each(|number| other.echo(BINARY, &payload(9, number, 300_000)));
    for (number, client) in slow.iter_mut().enumerate() {
        for message in 0..MESSAGES {
            client.expect(BINARY, &payload(number, message, SIZE - message));
            client.expect(PONG, &payload(number, message, 100));
        }
        client.expect(CLOSE, b"");
        client.expect_end();
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let counters = server.counters();
    assert!(
        counters.partial_sends > 0 && counters.sent_in_place > 20,
        "{counters:?}"
    );
    assert!(counters.most_waiting <= (1 << 20) + SIZE + 200, "{counters:?}");
}

/// The kernel reads the memory of a message until the operation has ended, which is after the client has left.
#[test]
fn the_memory_of_a_message_outlives_its_client() {
    let write_timeout = Duration::from_millis(200);
    let server = Running::start(Config {
        write_timeout,
        linger_timeout: Duration::from_millis(50),
        ..quiet()
    });
    for round in 0..5 {
        let mut victims: Vec<_> = (0..4).map(|_| Client::open(&server)).collect();
        for (number, victim) in victims.iter_mut().enumerate() {
            victim.flood(number, 1 << 20);
        }
        // Half of them are reset with the send in progress, and half are dropped by the server.
        victims.drain(..2).for_each(Client::reset);
        let mut other = Client::open(&server);
        (0..5).for_each(|number| other.echo(BINARY, &payload(round, number, 1 << 20)));
        other.close();
        server.wait("dropped", Counted::is_idle);
    }
    let counters = server.counters();
    assert!(counters.late > 0 && counters.sent_in_place > 0, "{counters:?}");
}

/// A large payload arrives in memory of its own, which is the kernel's while the client leaves.
#[test]
fn clients_leave_while_a_large_payload_is_received() {
    let server = Running::start(quiet());
    let message = frame(BINARY, &payload(0, 0, 200_000));
    for round in 0..20 {
        let mut client = Client::open(&server);
        client.echo(BINARY, &payload(0, round, 200_000));
        client.stream.write_all(&message[..message.len() / 2]).unwrap();
        match round % 2 {
            0 => client.reset(),
            _ => client.stream.shutdown(Shutdown::Write).unwrap(),
        }
    }
    let counters = server.wait("end", Counted::is_idle);
    assert!(counters.received_directly > 0, "{counters:?}");
}
