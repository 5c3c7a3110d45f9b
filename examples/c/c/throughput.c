/* Compares the processor time of this library with that of wslay: a server that echoes messages, without sockets.
 *
 *     throughput
 *
 * The bytes of a client are copied into each library as a socket's would be; what the library writes is counted, and compared with
 * what has to come in the first turn. The turns alternate between the two, and the fastest counts. Prints a table in Markdown. */
#define _GNU_SOURCE

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wslay/wslay.h>

#include "websocket_proto.h"

enum { TURNS = 7, PEERS = 2 };

/* How long a turn takes, in seconds of processor time. */
static const double TURN = 0.1;

/* What a client sends at once, and what has to come back. */
struct batch {
  bool is_text;
  size_t size, count;
  uint8_t *sent, *echoed;
  size_t sent_len, echoed_len;
};

/* One end of a transport: the client's bytes, and where the server's go. */
struct transport {
  const uint8_t *input;
  size_t input_len;
  size_t written;
  /* What has to be written; NULL if it is only counted. */
  const uint8_t *expected;
};

/* A server of one of the libraries, with an open connection. */
struct server {
  struct transport transport;
  wsp_endpoint endpoint;
  wslay_event_context_ptr wslay;
};

static void fail(const char *what) {
  fprintf(stderr, "throughput: %s\n", what);
  exit(1);
}

static void *allocate(size_t size) {
  void *memory = malloc(size);
  if (!memory) fail("out of memory");
  return memory;
}

/* As read(2): 0 if there is nothing now. */
static size_t transport_read(struct transport *transport, uint8_t *space, size_t len) {
  size_t size = len < transport->input_len ? len : transport->input_len;
  memcpy(space, transport->input, size);
  transport->input += size;
  transport->input_len -= size;
  return size;
}

static void transport_write(struct transport *transport, const uint8_t *bytes, size_t len) {
  if (transport->expected && memcmp(transport->expected + transport->written, bytes, len) != 0) fail("wrong echo");
  transport->written += len;
}

/* Our library. */

static void check(wsp_code code) {
  if (code != WSP_CODE_OK) fail(wsp_message(code));
}

static void wsp_echo(wsp_endpoint endpoint) {
  for (;;) {
    wsp_event event;
    check(wsp_next_event(endpoint, &event));
    switch (event.kind) {
      case WSP_EVENT_KIND_NONE: return;
      case WSP_EVENT_KIND_TEXT: check(wsp_send_text(endpoint, event.data)); break;
      case WSP_EVENT_KIND_BINARY: check(wsp_send_binary(endpoint, event.data)); break;
      default: fail("an event that nobody sent");
    }
  }
}

/* Drives the endpoint until it waits for more input. */
static void wsp_drive(struct server *server) {
  wsp_endpoint endpoint = server->endpoint;
  check(wsp_ready(endpoint));
  for (;;) {
    wsp_step step;
    wsp_space space;
    wsp_bytes output;
    size_t size;
    check(wsp_next_step(endpoint, 0, &step));
    switch (step.kind) {
      case WSP_STEP_KIND_REQUEST: check(wsp_accept(endpoint, NULL)); break;
      case WSP_STEP_KIND_EVENT: wsp_echo(endpoint); break;
      case WSP_STEP_KIND_READ:
        check(wsp_read_space(endpoint, &space));
        size = transport_read(&server->transport, space.data, space.len);
        check(size > 0 ? wsp_received(endpoint, size) : wsp_read_blocked(endpoint));
        break;
      case WSP_STEP_KIND_WRITE:
        check(wsp_output(endpoint, &output));
        transport_write(&server->transport, output.data, output.len);
        check(wsp_written(endpoint, output.len));
        break;
      case WSP_STEP_KIND_FLUSH: check(wsp_flushed(endpoint)); break;
      case WSP_STEP_KIND_WAIT: return;
      default: fail("a step that nobody asked for");
    }
  }
}

static void wsp_open(struct server *server) {
  static const char REQUEST[] =
      "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  check(wsp_server_new(NULL, 0, &server->endpoint));
  server->transport.input = (const uint8_t *)REQUEST;
  server->transport.input_len = strlen(REQUEST);
  wsp_drive(server);
}

static void wsp_close_server(struct server *server) {
  check(wsp_free(server->endpoint));
}

/* wslay: its event API, which assembles messages and checks text, as ours does. */

static ssize_t wslay_read(wslay_event_context_ptr context, uint8_t *space, size_t len, int flags, void *data) {
  (void)flags;
  struct server *server = data;
  size_t size = transport_read(&server->transport, space, len);
  if (size > 0) return (ssize_t)size;
  wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
  return -1;
}

static ssize_t wslay_write(wslay_event_context_ptr context, const uint8_t *bytes, size_t len, int flags, void *data) {
  (void)context, (void)flags;
  struct server *server = data;
  transport_write(&server->transport, bytes, len);
  return (ssize_t)len;
}

static void wslay_echo(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *event, void *data) {
  (void)data;
  struct wslay_event_msg message = {.opcode = event->opcode, .msg = event->msg, .msg_length = event->msg_length};
  if (wslay_event_queue_msg(context, &message) != 0) fail("wslay cannot send");
}

static void wslay_drive(struct server *server) {
  if (wslay_event_recv(server->wslay) != 0) fail("wslay cannot receive");
  if (wslay_event_send(server->wslay) != 0) fail("wslay cannot write");
}

static void wslay_open(struct server *server) {
  static const struct wslay_event_callbacks CALLBACKS = {
      .recv_callback = wslay_read,
      .send_callback = wslay_write,
      .on_msg_recv_callback = wslay_echo,
  };
  if (wslay_event_context_server_init(&server->wslay, &CALLBACKS, server) != 0) fail("wslay cannot begin");
}

static void wslay_close_server(struct server *server) {
  wslay_event_context_free(server->wslay);
}

static const struct peer {
  void (*open)(struct server *);
  void (*drive)(struct server *);
  void (*close)(struct server *);
} PEER[PEERS] = {
    {wsp_open, wsp_drive, wsp_close_server},
    {wslay_open, wslay_drive, wslay_close_server},
};

/* The header of a frame with FIN; a client's has a mask key (RFC 6455 section 5.2). Returns its size. */
static size_t write_header(uint8_t *frame, const struct batch *batch, const uint8_t *key) {
  size_t len = batch->size, size = 2;
  frame[0] = 0x80 | (batch->is_text ? 1 : 2);
  int extended = len < 126 ? 0 : len < 65536 ? 2 : 8;
  frame[1] = (uint8_t)((key ? 0x80 : 0) | (extended == 0 ? len : extended == 2 ? 126 : 127));
  for (int i = extended; i > 0; i--) frame[size++] = (uint8_t)(len >> (8 * (i - 1)));
  if (key) {
    memcpy(frame + size, key, 4);
    size += 4;
  }
  return size;
}

/* Text has a character of two bytes in each 16 bytes. */
static void fill(uint8_t *payload, const struct batch *batch) {
  for (size_t i = 0; i < batch->size; i++) payload[i] = batch->is_text ? (uint8_t)('a' + i % 16) : (uint8_t)(i * 7);
  if (!batch->is_text) return;
  for (size_t i = 0; i + 1 < batch->size; i += 16) memcpy(payload + i, "\xc3\xa9", 2);
}

static struct batch make_batch(bool is_text, size_t size, size_t count) {
  static const uint8_t KEY[4] = {0x12, 0x34, 0x56, 0x78};
  struct batch batch = {.is_text = is_text, .size = size, .count = count};
  uint8_t *payload = allocate(size);
  fill(payload, &batch);
  batch.sent = allocate(count * (size + 14));
  batch.echoed = allocate(count * (size + 10));
  for (size_t i = 0; i < count; i++) {
    batch.sent_len += write_header(batch.sent + batch.sent_len, &batch, KEY);
    for (size_t at = 0; at < size; at++) batch.sent[batch.sent_len++] = payload[at] ^ KEY[at % 4];
    batch.echoed_len += write_header(batch.echoed + batch.echoed_len, &batch, NULL);
    memcpy(batch.echoed + batch.echoed_len, payload, size);
    batch.echoed_len += size;
  }
  free(payload);
  return batch;
}

static double processor_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The processor time of `times` batches, in seconds. */
static double run(const struct peer *peer, struct server *server, const struct batch *batch, long times, bool is_checked) {
  double began = processor_time();
  for (long i = 0; i < times; i++) {
    server->transport =
        (struct transport){batch->sent, batch->sent_len, 0, is_checked ? batch->echoed : NULL};
    peer->drive(server);
    if (server->transport.written != batch->echoed_len) fail("not everything was echoed");
  }
  return processor_time() - began;
}

static void compare(const struct batch *batch) {
  struct server servers[PEERS] = {0};
  long times[PEERS];
  double best[PEERS];
  for (int i = 0; i < PEERS; i++) {
    PEER[i].open(&servers[i]);
    run(&PEER[i], &servers[i], batch, 2, true);
    times[i] = 1;
    /* Also warms the caches up. */
    while ((best[i] = run(&PEER[i], &servers[i], batch, times[i], false)) < TURN) times[i] *= 2;
    best[i] /= (double)times[i];
  }
  for (int turn = 0; turn < TURNS; turn++) {
    for (int i = 0; i < PEERS; i++) {
      double time = run(&PEER[i], &servers[i], batch, times[i], false) / (double)times[i];
      if (time < best[i]) best[i] = time;
    }
  }
  const double nanos = 1e9 / (double)batch->count;
  printf("| %s, %zu bytes, %zu | %.0f ns | %.0f ns | %.1f |\n", batch->is_text ? "text" : "binary", batch->size, batch->count,
         best[0] * nanos, best[1] * nanos, best[1] / best[0]);
  fflush(stdout);
  for (int i = 0; i < PEERS; i++) PEER[i].close(&servers[i]);
}

int main(void) {
  static const struct {
    bool is_text;
    size_t size, count;
  } CASES[] = {
      {false, 16, 1},  {false, 16, 32},    {true, 125, 1},       {true, 125, 32},   {false, 1024, 1},
      {false, 1024, 32}, {true, 1024, 32}, {false, 64 * 1024, 1}, {true, 64 * 1024, 1}, {false, 1024 * 1024, 1},
  };
  printf("| message, how many are read at once | websocket-proto | wslay | ratio |\n|---|---|---|---|\n");
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    struct batch batch = make_batch(CASES[i].is_text, CASES[i].size, CASES[i].count);
    compare(&batch);
    free(batch.sent);
    free(batch.echoed);
  }
  return 0;
}
