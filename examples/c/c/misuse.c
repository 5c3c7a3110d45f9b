/* Calls the ABI as it must not be called, and expects an error each time: without a crash, and without a report of valgrind or of a
 * sanitizer. Two endpoints are connected by copying the bytes that one wants to write to the other.
 *
 *     misuse [many]       many: with more endpoints than the library has memory for from the start, which it keeps then
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "websocket_proto.h"

static int checks = 0, failures = 0;

static void expect_code(const char *call, int line, wsp_code code, wsp_code expected) {
  checks++;
  if (code == expected) return;
  failures++;
  printf("FAIL line %d: %s: \"%s\", expected \"%s\"\n", line, call, wsp_message(code), wsp_message(expected));
}

static void expect_that(const char *what, int line, bool is_so) {
  checks++;
  if (is_so) return;
  failures++;
  printf("FAIL line %d: %s\n", line, what);
}

#define EXPECT(code, call) expect_code(#call, __LINE__, call, code)
#define OK(call) EXPECT(WSP_CODE_OK, call)
#define THAT(condition) expect_that(#condition, __LINE__, condition)

static const wsp_bytes NOTHING = {NULL, 0};

static wsp_bytes bytes(const void *data, size_t len) {
  wsp_bytes result = {data, len};
  return result;
}

static bool is_text(wsp_bytes got, const char *expected) {
  return got.len == strlen(expected) && memcmp(got.data, expected, got.len) == 0;
}

/* Of all endpoints below. Small, to reach it soon. */
static wsp_config config = {.max_buffered = 400000};

static wsp_endpoint new_server(void) {
  wsp_endpoint server;
  OK(wsp_server_new(&config, 0, &server));
  return server;
}

static wsp_endpoint new_client(const wsp_entropy *entropy) {
  static const wsp_bytes subprotocols[] = {{(const uint8_t *)"chat", 4}, {(const uint8_t *)"superchat", 9}};
  wsp_client_request request = {.url = wsp_string("ws://[::1]:9/there?x=y"), .subprotocols = {subprotocols, 2}};
  wsp_endpoint client;
  OK(wsp_client_new(&config, &request, entropy, 0, &client));
  return client;
}

static wsp_step_kind next_step(wsp_endpoint endpoint) {
  wsp_step step;
  OK(wsp_next_step(endpoint, 0, &step));
  return step.kind;
}

/* Writes the output of one endpoint to the other. */
static void deliver(wsp_endpoint from, wsp_endpoint to) {
  wsp_bytes output;
  next_step(from);
  OK(wsp_output(from, &output));
  if (output.len > 0) OK(wsp_receive(to, output));
  OK(wsp_written(from, output.len));
  OK(wsp_flushed(from));
}

/* A client and a server of an open connection. */
struct pair {
  wsp_endpoint client, server;
};

static struct pair open_pair(const wsp_entropy *entropy) {
  struct pair pair = {new_client(entropy), new_server()};
  deliver(pair.client, pair.server);
  THAT(next_step(pair.server) == WSP_STEP_KIND_REQUEST);
  OK(wsp_accept(pair.server, NULL));
  deliver(pair.server, pair.client);
  THAT(next_step(pair.client) == WSP_STEP_KIND_RESPONSE);
  wsp_response response;
  OK(wsp_take_response(pair.client, &response));
  THAT(response.is_open && response.status == 101 && response.body.len == 0);
  return pair;
}

static void free_pair(struct pair pair) {
  OK(wsp_free(pair.client));
  OK(wsp_free(pair.server));
}

/* Each pointer that must not be NULL. */
static void null_pointers(void) {
  wsp_client_request request = {.url = wsp_string("ws://example.com/")};
  wsp_entropy no_function = {NULL, NULL};
  wsp_endpoint endpoint;
  EXPECT(WSP_CODE_NULL_POINTER, wsp_server_new(NULL, 0, NULL));
  EXPECT(WSP_CODE_NULL_POINTER, wsp_client_new(NULL, &request, NULL, 0, NULL));
  EXPECT(WSP_CODE_NULL_POINTER, wsp_client_new(NULL, NULL, NULL, 0, &endpoint));
  EXPECT(WSP_CODE_NULL_POINTER, wsp_client_new(NULL, &request, &no_function, 0, &endpoint));
  request.url.data = NULL;
  EXPECT(WSP_CODE_NULL_POINTER, wsp_client_new(NULL, &request, NULL, 0, &endpoint));
  request = (wsp_client_request){.url = wsp_string("ws://example.com/"), .subprotocols = {NULL, 1}};
  EXPECT(WSP_CODE_NULL_POINTER, wsp_client_new(NULL, &request, NULL, 0, &endpoint));
  request = (wsp_client_request){.url = wsp_string("ws://example.com/"), .fields = {NULL, 1}};
  EXPECT(WSP_CODE_NULL_POINTER, wsp_client_new(NULL, &request, NULL, 0, &endpoint));

  struct pair pair = open_pair(NULL);
  wsp_endpoint each[] = {pair.client, pair.server};
  for (int i = 0; i < 2; i++) {
    EXPECT(WSP_CODE_NULL_POINTER, wsp_client_address(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_next_step(each[i], 0, NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_read_space(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_output(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_get_request(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_request_field(each[i], wsp_string("Host"), NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_request_subprotocol(each[i], 0, NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_respond(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_take_response(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_response_field(each[i], wsp_string("Date"), NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_subprotocol(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_next_event(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_get_sending(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_get_end(each[i], NULL));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_receive(each[i], bytes(NULL, 1)));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_send_text(each[i], bytes(NULL, 1)));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_send_binary(each[i], bytes(NULL, 1)));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_send_fragment(each[i], WSP_MESSAGE_KIND_TEXT, bytes(NULL, 1), true));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_send_ping(each[i], bytes(NULL, 125)));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_send_pong(each[i], bytes(NULL, 1)));
    EXPECT(WSP_CODE_NULL_POINTER, wsp_close(each[i], 1000, bytes(NULL, 123)));
  }
  /* None of it has changed anything. */
  OK(wsp_send_text(pair.client, wsp_string("still open")));
  free_pair(pair);
}

/* Every function on one handle, with arguments that would be right. */
static void expect_all(wsp_endpoint endpoint, wsp_code code) {
  wsp_address address;
  wsp_step step;
  wsp_space space;
  wsp_bytes data;
  wsp_request request;
  wsp_rejection rejection = {.status = 404};
  wsp_response response;
  wsp_event event;
  wsp_sending sending;
  wsp_end end;
  EXPECT(code, wsp_client_address(endpoint, &address));
  EXPECT(code, wsp_next_step(endpoint, 0, &step));
  EXPECT(code, wsp_read_space(endpoint, &space));
  EXPECT(code, wsp_received(endpoint, 0));
  EXPECT(code, wsp_receive(endpoint, NOTHING));
  EXPECT(code, wsp_read_blocked(endpoint));
  EXPECT(code, wsp_read_failed(endpoint, 5));
  EXPECT(code, wsp_output(endpoint, &data));
  EXPECT(code, wsp_written(endpoint, 0));
  EXPECT(code, wsp_write_blocked(endpoint));
  EXPECT(code, wsp_write_failed(endpoint, 5));
  EXPECT(code, wsp_flushed(endpoint));
  EXPECT(code, wsp_shut_down(endpoint));
  EXPECT(code, wsp_ready(endpoint));
  EXPECT(code, wsp_get_request(endpoint, &request));
  EXPECT(code, wsp_request_field(endpoint, wsp_string("Host"), &data));
  EXPECT(code, wsp_request_subprotocol(endpoint, 0, &data));
  EXPECT(code, wsp_accept(endpoint, NULL));
  EXPECT(code, wsp_respond(endpoint, &rejection));
  EXPECT(code, wsp_take_response(endpoint, &response));
  EXPECT(code, wsp_response_field(endpoint, wsp_string("Date"), &data));
  EXPECT(code, wsp_subprotocol(endpoint, &data));
  EXPECT(code, wsp_next_event(endpoint, &event));
  EXPECT(code, wsp_send_text(endpoint, wsp_string("text")));
  EXPECT(code, wsp_send_binary(endpoint, wsp_string("binary")));
  EXPECT(code, wsp_send_fragment(endpoint, WSP_MESSAGE_KIND_TEXT, wsp_string("text"), true));
  EXPECT(code, wsp_send_ping(endpoint, NOTHING));
  EXPECT(code, wsp_send_pong(endpoint, NOTHING));
  EXPECT(code, wsp_close(endpoint, 1000, NOTHING));
  EXPECT(code, wsp_get_sending(endpoint, &sending));
  EXPECT(code, wsp_get_end(endpoint, &end));
  EXPECT(code, wsp_abort(endpoint));
}

static void handles(void) {
  wsp_endpoint none = {0}, forged = {UINT64_MAX}, server = new_server();
  wsp_endpoint next_generation = {server.id + (UINT64_C(1) << 32)}, next_slot = {server.id + 1};
  wsp_endpoint wrong[] = {none, forged, next_generation, next_slot};
  for (int i = 0; i < 4; i++) {
    expect_all(wrong[i], WSP_CODE_STALE_HANDLE);
    EXPECT(WSP_CODE_STALE_HANDLE, wsp_free(wrong[i]));
  }
  OK(wsp_free(server));
  EXPECT(WSP_CODE_STALE_HANDLE, wsp_free(server));
  expect_all(server, WSP_CODE_STALE_HANDLE);
  /* The slot of the freed one is used again, and the old handle is not of the new one. */
  wsp_endpoint later = new_server();
  THAT((uint32_t)later.id == (uint32_t)server.id && later.id != server.id);
  expect_all(server, WSP_CODE_STALE_HANDLE);
  EXPECT(WSP_CODE_STALE_HANDLE, wsp_free(server));
  THAT(next_step(later) == WSP_STEP_KIND_READ);
  OK(wsp_free(later));
  THAT(wsp_endpoint_count() == 0);
}

static void many_handles(void) {
  enum { MANY = 1000 };
  static wsp_endpoint endpoints[MANY];
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < MANY; i++) endpoints[i] = new_server();
    THAT(wsp_endpoint_count() == MANY);
    for (int i = 0; i < MANY; i++) THAT(next_step(endpoints[i]) == WSP_STEP_KIND_READ);
    for (int i = 0; i < MANY; i++) OK(wsp_free(endpoints[(i * 7) % MANY]));
    for (int i = 0; i < MANY; i++) EXPECT(WSP_CODE_STALE_HANDLE, wsp_ready(endpoints[i]));
  }
  THAT(wsp_endpoint_count() == 0);
}

static void after_the_end(void) {
  struct pair pair = open_pair(NULL);
  wsp_end end;
  EXPECT(WSP_CODE_NOT_DONE, wsp_get_end(pair.client, &end));
  wsp_endpoint each[] = {pair.client, pair.server};
  for (int i = 0; i < 2; i++) {
    OK(wsp_abort(each[i]));
    wsp_bytes data;
    wsp_space space;
    wsp_event event;
    wsp_request request;
    wsp_response response;
    THAT(next_step(each[i]) == WSP_STEP_KIND_DONE);
    EXPECT(WSP_CODE_NOT_OPEN, wsp_send_text(each[i], wsp_string("late")));
    EXPECT(WSP_CODE_NOT_OPEN, wsp_send_ping(each[i], NOTHING));
    EXPECT(WSP_CODE_NOT_OPEN, wsp_close(each[i], 1000, NOTHING));
    EXPECT(WSP_CODE_NO_REQUEST, wsp_get_request(each[i], &request));
    EXPECT(WSP_CODE_NO_REQUEST, wsp_accept(each[i], NULL));
    EXPECT(WSP_CODE_NO_RESPONSE, wsp_take_response(each[i], &response));
    OK(wsp_next_event(each[i], &event));
    THAT(event.kind == WSP_EVENT_KIND_NONE && event.data.len == 0 && event.data.data);
    OK(wsp_output(each[i], &data));
    THAT(data.len == 0 && data.data);
    EXPECT(WSP_CODE_SIZE_TOO_LARGE, wsp_written(each[i], 1));
    OK(wsp_read_space(each[i], &space));
    OK(wsp_received(each[i], space.len));
    OK(wsp_receive(each[i], wsp_string("late")));
    OK(wsp_received(each[i], 0));
    OK(wsp_flushed(each[i]));
    OK(wsp_shut_down(each[i]));
    OK(wsp_write_failed(each[i], 32));
    OK(wsp_read_failed(each[i], 104));
    OK(wsp_abort(each[i]));
    THAT(next_step(each[i]) == WSP_STEP_KIND_DONE);
    OK(wsp_get_end(each[i], &end));
    THAT(end.outcome == WSP_OUTCOME_TRANSPORT_ENDED && end.interruption == WSP_INTERRUPTION_ABORTED && !end.is_clean);
    THAT(is_text(end.text, "aborted, not clean"));
  }
  free_pair(pair);
}

/* RFC 6455 section 7.1.4: a Close in the output was not sent. */
static void unwritten_close(void) {
  struct pair pair = open_pair(NULL);
  wsp_end end;
  OK(wsp_close(pair.server, 1013, wsp_string("too slow")));
  OK(wsp_abort(pair.server));
  OK(wsp_get_end(pair.server, &end));
  THAT(end.code_sent == 0 && end.code_unsent == 1013 && end.code_received == 0);
  THAT(is_text(end.text, "aborted, not clean, 1013 not written"));
  free_pair(pair);
}

static void lengths(void) {
  struct pair pair = open_pair(NULL);
  static const char byte[1] = "x";
  const size_t too_large[] = {SIZE_MAX, SIZE_MAX / 2 + 1};
  for (int i = 0; i < 2; i++) {
    wsp_bytes huge = bytes(byte, too_large[i]);
    EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_send_text(pair.client, huge));
    EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_send_binary(pair.server, huge));
    EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_send_fragment(pair.client, WSP_MESSAGE_KIND_BINARY, huge, false));
    EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_receive(pair.client, huge));
    EXPECT(WSP_CODE_CONTROL_TOO_LONG, wsp_send_ping(pair.client, huge));
    EXPECT(WSP_CODE_CONTROL_TOO_LONG, wsp_send_pong(pair.server, huge));
    EXPECT(WSP_CODE_REASON_TOO_LONG, wsp_close(pair.client, 1000, huge));
    EXPECT(WSP_CODE_SIZE_TOO_LARGE, wsp_received(pair.client, too_large[i]));
    EXPECT(WSP_CODE_SIZE_TOO_LARGE, wsp_written(pair.server, too_large[i]));
    wsp_endpoint endpoint;
    wsp_client_request request = {.url = wsp_string("ws://example.com/"), .origin = huge};
    EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_client_new(NULL, &request, NULL, 0, &endpoint));
    wsp_bytes name = wsp_string("chat");
    request = (wsp_client_request){.url = wsp_string("ws://example.com/"), .subprotocols = {&name, too_large[i] / 8}};
    EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_client_new(NULL, &request, NULL, 0, &endpoint));
  }
  /* One byte more than a control frame holds. */
  char long_payload[126] = {0};
  EXPECT(WSP_CODE_CONTROL_TOO_LONG, wsp_send_ping(pair.client, bytes(long_payload, 126)));
  EXPECT(WSP_CODE_REASON_TOO_LONG, wsp_close(pair.client, 1000, bytes(long_payload, 124)));
  OK(wsp_send_ping(pair.client, bytes(long_payload, 125)));
  /* Nothing was lent to read into, or less than is reported. */
  wsp_space space;
  EXPECT(WSP_CODE_SIZE_TOO_LARGE, wsp_received(pair.server, 1));
  OK(wsp_read_space(pair.server, &space));
  EXPECT(WSP_CODE_SIZE_TOO_LARGE, wsp_received(pair.server, space.len + 1));
  OK(wsp_ready(pair.server));
  EXPECT(WSP_CODE_SIZE_TOO_LARGE, wsp_received(pair.server, 1));
  /* It is valid over a send. */
  OK(wsp_read_space(pair.server, &space));
  OK(wsp_send_text(pair.server, wsp_string("meanwhile")));
  memcpy(space.data, "\x89\x80\1\2\3\4", 6);
  OK(wsp_received(pair.server, 6));
  EXPECT(WSP_CODE_SIZE_TOO_LARGE, wsp_received(pair.server, 1));
  wsp_event event;
  OK(wsp_next_event(pair.server, &event));
  THAT(event.kind == WSP_EVENT_KIND_PING && event.data.len == 0);
  /* Nothing at all is a message, too. */
  OK(wsp_send_text(pair.client, NOTHING));
  OK(wsp_send_binary(pair.client, NOTHING));
  deliver(pair.client, pair.server);
  const wsp_event_kind kinds[] = {WSP_EVENT_KIND_PING, WSP_EVENT_KIND_TEXT, WSP_EVENT_KIND_BINARY, WSP_EVENT_KIND_NONE};
  for (int i = 0; i < 4; i++) {
    OK(wsp_next_event(pair.server, &event));
    THAT(event.kind == kinds[i] && event.data.len == (i == 0 ? 125 : 0) && event.data.data);
  }
  free_pair(pair);
}

static void contents(void) {
  struct pair pair = open_pair(NULL);
  EXPECT(WSP_CODE_INVALID_UTF8, wsp_send_text(pair.client, wsp_string("caf\xe9")));
  EXPECT(WSP_CODE_INVALID_UTF8, wsp_send_text(pair.server, bytes("\xed\xa0\x80", 3)));
  EXPECT(WSP_CODE_INVALID_UTF8, wsp_close(pair.client, 1000, wsp_string("\xff")));
  OK(wsp_send_fragment(pair.client, WSP_MESSAGE_KIND_TEXT, wsp_string("caf\xc3"), false));
  EXPECT(WSP_CODE_UNFINISHED_MESSAGE, wsp_send_text(pair.client, wsp_string("another")));
  EXPECT(WSP_CODE_UNFINISHED_MESSAGE, wsp_send_fragment(pair.client, WSP_MESSAGE_KIND_BINARY, NOTHING, true));
  EXPECT(WSP_CODE_INVALID_UTF8, wsp_send_fragment(pair.client, WSP_MESSAGE_KIND_TEXT, NOTHING, true));
  OK(wsp_send_fragment(pair.client, WSP_MESSAGE_KIND_TEXT, wsp_string("\xa9"), true));
  EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_send_fragment(pair.client, 2, NOTHING, true));
  EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_send_fragment(pair.client, UINT32_MAX, NOTHING, true));
  const uint16_t invalid[] = {1, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535};
  for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
    EXPECT(WSP_CODE_INVALID_CLOSE_CODE, wsp_close(pair.client, invalid[i], NOTHING));
    EXPECT(WSP_CODE_INVALID_CLOSE_CODE, wsp_close(pair.server, invalid[i], NOTHING));
  }
  EXPECT(WSP_CODE_INVALID_CLOSE_CODE, wsp_close(pair.server, 1010, NOTHING)); /* of a client only */
  EXPECT(WSP_CODE_REASON_WITHOUT_CODE, wsp_close(pair.client, 0, wsp_string("why")));
  deliver(pair.client, pair.server);
  wsp_event event;
  OK(wsp_next_event(pair.server, &event));
  THAT(event.kind == WSP_EVENT_KIND_TEXT && is_text(event.data, "caf\xc3\xa9"));

  const struct {
    const char *url, *origin, *subprotocol, *name, *value;
    wsp_code code;
  } requests[] = {
      {"", "", "", "", "", WSP_CODE_INVALID_URL},
      {"ftp://example.com/", "", "", "", "", WSP_CODE_INVALID_URL},
      {"ws://example.com/#there", "", "", "", "", WSP_CODE_INVALID_URL},
      {"ws://example.com:65536/", "", "", "", "", WSP_CODE_INVALID_URL},
      {"ws://caf\xe9/", "", "", "", "", WSP_CODE_INVALID_UTF8},
      {"ws://example.com/", "a\nb", "", "", "", WSP_CODE_INVALID_ORIGIN},
      {"ws://example.com/", "", "a b", "", "", WSP_CODE_INVALID_SUBPROTOCOL},
      {"ws://example.com/", "", "chat", "Host", "example.org", WSP_CODE_INVALID_FIELD},
      {"ws://example.com/", "", "chat", "X", "1\r\nY: 2", WSP_CODE_INVALID_FIELD},
      {"ws://example.com/", "", "chat", "X Y", "1", WSP_CODE_INVALID_FIELD},
  };
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    wsp_bytes name = wsp_string(requests[i].subprotocol);
    wsp_field field = {wsp_string(requests[i].name), wsp_string(requests[i].value)};
    wsp_client_request request = {.url = wsp_string(requests[i].url), .origin = wsp_string(requests[i].origin)};
    request.subprotocols = (wsp_list){&name, name.len > 0};
    request.fields = (wsp_fields){&field, field.name.len > 0};
    wsp_endpoint endpoint;
    EXPECT(requests[i].code, wsp_client_new(NULL, &request, NULL, 0, &endpoint));
  }
  wsp_config delivery = {.delivery = 3}, deflate = {.deflate = 2};
  wsp_endpoint endpoint;
  EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_server_new(&delivery, 0, &endpoint));
  EXPECT(WSP_CODE_INVALID_ARGUMENT, wsp_server_new(&deflate, 0, &endpoint));
  free_pair(pair);
}

static void wrong_order(void) {
  wsp_endpoint client = new_client(NULL), server = new_server();
  wsp_bytes data;
  wsp_request request;
  wsp_response response;
  wsp_address address;
  wsp_rejection rejection = {.status = 403, .body = wsp_string("no")};
  EXPECT(WSP_CODE_NOT_OPEN, wsp_send_text(client, wsp_string("early")));
  EXPECT(WSP_CODE_NOT_OPEN, wsp_send_text(server, wsp_string("early")));
  EXPECT(WSP_CODE_NOT_OPEN, wsp_close(server, 1000, NOTHING));
  EXPECT(WSP_CODE_NO_REQUEST, wsp_get_request(server, &request));
  EXPECT(WSP_CODE_NO_REQUEST, wsp_accept(server, NULL));
  EXPECT(WSP_CODE_NO_REQUEST, wsp_respond(server, &rejection));
  EXPECT(WSP_CODE_NO_REQUEST, wsp_accept(client, NULL));
  EXPECT(WSP_CODE_NO_RESPONSE, wsp_take_response(client, &response));
  EXPECT(WSP_CODE_NO_RESPONSE, wsp_response_field(client, wsp_string("Date"), &data));
  EXPECT(WSP_CODE_NOT_FOUND, wsp_subprotocol(client, &data));
  EXPECT(WSP_CODE_NOT_FOUND, wsp_client_address(server, &address));
  OK(wsp_client_address(client, &address));
  THAT(is_text(address.host, "::1") && address.port == 9 && !address.secure);

  deliver(client, server);
  EXPECT(WSP_CODE_NO_REQUEST, wsp_get_request(server, &request));
  THAT(next_step(server) == WSP_STEP_KIND_REQUEST);
  EXPECT(WSP_CODE_NO_RESPONSE, wsp_take_response(server, &response));
  OK(wsp_get_request(server, &request));
  THAT(is_text(request.method, "GET") && is_text(request.path, "/there") && is_text(request.query, "x=y"));
  THAT(is_text(request.authority, "[::1]:9") && request.origin.len == 0 && request.is_upgrade);
  OK(wsp_request_field(server, wsp_string("sec-websocket-version"), &data));
  THAT(is_text(data, "13"));
  EXPECT(WSP_CODE_NOT_FOUND, wsp_request_field(server, wsp_string("Cookie"), &data));
  OK(wsp_request_subprotocol(server, 1, &data));
  THAT(is_text(data, "superchat"));
  EXPECT(WSP_CODE_NOT_FOUND, wsp_request_subprotocol(server, 2, &data));
  EXPECT(WSP_CODE_NOT_FOUND, wsp_request_subprotocol(server, SIZE_MAX, &data));
  /* What the request lent is valid over these calls. */
  THAT(is_text(request.path, "/there"));

  rejection.status = 101;
  EXPECT(WSP_CODE_INVALID_STATUS, wsp_respond(server, &rejection));
  rejection.status = 204;
  EXPECT(WSP_CODE_INVALID_STATUS, wsp_respond(server, &rejection));
  wsp_field bad = {wsp_string("Upgrade"), wsp_string("h2c")}, good = {wsp_string("Set-Cookie"), wsp_string("a=b")};
  wsp_answer answer = {.fields = {&bad, 1}};
  EXPECT(WSP_CODE_INVALID_FIELD, wsp_accept(server, &answer));
  wsp_bytes supported[] = {wsp_string("superchat"), wsp_string("other")};
  answer = (wsp_answer){.subprotocols = {supported, 2}, .fields = {&good, 1}};
  OK(wsp_accept(server, &answer));
  EXPECT(WSP_CODE_NO_REQUEST, wsp_accept(server, &answer));
  EXPECT(WSP_CODE_NO_REQUEST, wsp_respond(server, &rejection));
  EXPECT(WSP_CODE_NO_REQUEST, wsp_get_request(server, &request));
  deliver(server, client);
  EXPECT(WSP_CODE_NO_RESPONSE, wsp_take_response(client, &response));
  THAT(next_step(client) == WSP_STEP_KIND_RESPONSE);
  OK(wsp_take_response(client, &response));
  EXPECT(WSP_CODE_NO_RESPONSE, wsp_take_response(client, &response));
  OK(wsp_response_field(client, wsp_string("set-cookie"), &data));
  THAT(is_text(data, "a=b"));
  next_step(client);
  EXPECT(WSP_CODE_NO_RESPONSE, wsp_response_field(client, wsp_string("Set-Cookie"), &data));
  OK(wsp_subprotocol(client, &data));
  THAT(is_text(data, "superchat"));
  OK(wsp_subprotocol(server, &data));
  THAT(is_text(data, "superchat"));

  OK(wsp_close(client, 1000, NOTHING));
  EXPECT(WSP_CODE_NOT_OPEN, wsp_close(client, 1000, NOTHING));
  EXPECT(WSP_CODE_NOT_OPEN, wsp_send_text(client, wsp_string("late")));
  free_pair((struct pair){client, server});
}

/* A request that is not a WebSocket request, and a response that rejects one. */
static void rejections(void) {
  wsp_endpoint server = new_server();
  wsp_bytes data;
  OK(wsp_receive(server, wsp_string("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")));
  THAT(next_step(server) == WSP_STEP_KIND_REQUEST);
  EXPECT(WSP_CODE_INVALID_REQUEST, wsp_request_subprotocol(server, 0, &data));
  EXPECT(WSP_CODE_INVALID_REQUEST, wsp_accept(server, NULL));
  EXPECT(WSP_CODE_NO_REQUEST, wsp_accept(server, NULL));
  OK(wsp_output(server, &data));
  THAT(data.len > 12 && memcmp(data.data, "HTTP/1.1 426", 12) == 0);
  OK(wsp_free(server));

  struct pair pair = {new_client(NULL), new_server()};
  deliver(pair.client, pair.server);
  next_step(pair.server);
  wsp_field field = {wsp_string("Retry-After"), wsp_string("60")};
  wsp_rejection rejection = {.status = 503, .fields = {&field, 1}, .body = wsp_string("later")};
  OK(wsp_respond(pair.server, &rejection));
  deliver(pair.server, pair.client);
  THAT(next_step(pair.client) == WSP_STEP_KIND_RESPONSE);
  wsp_response response;
  OK(wsp_take_response(pair.client, &response));
  THAT(!response.is_open && response.status == 503 && is_text(response.body, "later"));
  OK(wsp_response_field(pair.client, wsp_string("RETRY-AFTER"), &data));
  THAT(is_text(data, "60") && is_text(response.body, "later"));
  THAT(next_step(pair.client) == WSP_STEP_KIND_DONE);
  wsp_end end;
  OK(wsp_get_end(pair.client, &end));
  THAT(end.outcome == WSP_OUTCOME_RESPONDED && end.status == 503 && is_text(end.text, "not opened, status 503"));
  free_pair(pair);
}

/* An event is valid while it is sent back, several times and in pieces. */
static void held_events(void) {
  struct pair pair = open_pair(NULL);
  char *message = malloc(50000);
  for (int i = 0; i < 50000; i++) message[i] = (char)('a' + i % 26);
  /* The second one arrives in pieces, so that its memory is not the read buffer. */
  const size_t sizes[] = {1000, 50000};
  for (int i = 0; i < 2; i++) {
    wsp_event event;
    wsp_sending sending;
    OK(wsp_send_text(pair.client, bytes(message, sizes[i])));
    wsp_bytes output;
    OK(wsp_output(pair.client, &output));
    for (size_t at = 0; at < output.len; at += 3000) {
      size_t left = output.len - at;
      OK(wsp_next_event(pair.server, &event));
      THAT(event.kind == WSP_EVENT_KIND_NONE);
      OK(wsp_receive(pair.server, bytes(output.data + at, left < 3000 ? left : 3000)));
    }
    OK(wsp_written(pair.client, output.len));
    OK(wsp_flushed(pair.client));
    OK(wsp_next_event(pair.server, &event));
    THAT(event.kind == WSP_EVENT_KIND_TEXT && event.data.len == sizes[i]);
    for (int times = 0; times < 3; times++) OK(wsp_send_text(pair.server, event.data));
    OK(wsp_send_fragment(pair.server, WSP_MESSAGE_KIND_TEXT, bytes(event.data.data, 10), false));
    OK(wsp_send_ping(pair.server, bytes(event.data.data + 10, 5)));
    OK(wsp_send_fragment(pair.server, WSP_MESSAGE_KIND_TEXT, bytes(event.data.data + 10, 10), true));
    OK(wsp_get_sending(pair.server, &sending));
    THAT(sending.is_open && !sending.is_full && sending.buffered > 3 * sizes[i]);
    THAT(memcmp(event.data.data, message, sizes[i]) == 0);
    deliver(pair.server, pair.client);
    for (int times = 0; times < 3; times++) {
      OK(wsp_next_event(pair.client, &event));
      THAT(event.kind == WSP_EVENT_KIND_TEXT && event.data.len == sizes[i] && memcmp(event.data.data, message, sizes[i]) == 0);
    }
    OK(wsp_next_event(pair.client, &event));
    THAT(event.kind == WSP_EVENT_KIND_PING && is_text(event.data, "klmno"));
    OK(wsp_next_event(pair.client, &event));
    THAT(event.kind == WSP_EVENT_KIND_TEXT && is_text(event.data, "abcdefghijklmnopqrst"));
    OK(wsp_next_event(pair.client, &event));
    THAT(event.kind == WSP_EVENT_KIND_NONE);
    deliver(pair.client, pair.server);
    OK(wsp_next_event(pair.server, &event));
    THAT(event.kind == WSP_EVENT_KIND_PONG);
    OK(wsp_next_event(pair.server, &event));
  }
  /* Freed while an event is held. */
  OK(wsp_send_text(pair.client, bytes(message, 1000)));
  deliver(pair.client, pair.server);
  wsp_event event;
  OK(wsp_next_event(pair.server, &event));
  THAT(event.kind == WSP_EVENT_KIND_TEXT);
  free_pair(pair);
  free(message);
}

/* Messages by each delivery, and with compression. */
static void deliveries(void) {
  static char message[50000];
  for (size_t i = 0; i < sizeof message; i++) message[i] = (char)('a' + i % 26);
  for (config.deflate = 0; config.deflate < 2; config.deflate++) {
    for (config.delivery = 0; config.delivery < 3; config.delivery++) {
      struct pair pair = open_pair(NULL);
      OK(wsp_send_text(pair.client, bytes(message, sizeof message)));
      wsp_bytes output;
      OK(wsp_output(pair.client, &output));
      THAT(config.deflate ? output.len < 5000 : output.len > sizeof message);
      size_t received = 0;
      int events = 0;
      bool is_complete = false;
      while (output.len > 0) {
        wsp_space space;
        wsp_event event;
        OK(wsp_read_space(pair.server, &space));
        size_t size = output.len < 3000 ? output.len : 3000;
        if (size > space.len) size = space.len;
        memcpy(space.data, output.data, size);
        OK(wsp_received(pair.server, size));
        output = bytes(output.data + size, output.len - size);
        for (;;) {
          OK(wsp_next_event(pair.server, &event));
          if (event.kind == WSP_EVENT_KIND_NONE) break;
          bool is_chunk = config.delivery == WSP_DELIVERY_CHUNKS;
          THAT(!is_complete && event.kind == (is_chunk ? WSP_EVENT_KIND_TEXT_CHUNK : WSP_EVENT_KIND_TEXT));
          THAT(memcmp(event.data.data, message + received, event.data.len) == 0);
          received += event.data.len;
          is_complete = event.is_last || !is_chunk;
          events++;
        }
      }
      THAT(is_complete && received == sizeof message);
      THAT(config.delivery == WSP_DELIVERY_CHUNKS ? events > 1 : events == 1);
      free_pair(pair);
    }
  }
  config.deflate = config.delivery = 0;
}

/* Messages that nothing causes are refused over the limit; replies are not, but then no more events are returned. */
static void full(void) {
  struct pair pair = open_pair(NULL);
  const size_t size = 250000;
  char *message = calloc(1, size);
  OK(wsp_send_binary(pair.client, bytes(message, size)));
  OK(wsp_send_binary(pair.client, bytes(message, size)));
  EXPECT(WSP_CODE_FULL, wsp_send_binary(pair.client, bytes(message, size)));
  OK(wsp_send_ping(pair.client, NOTHING));
  deliver(pair.client, pair.server);
  wsp_event event;
  OK(wsp_next_event(pair.server, &event));
  OK(wsp_send_binary(pair.server, event.data));
  OK(wsp_send_binary(pair.server, event.data));
  EXPECT(WSP_CODE_FULL, wsp_send_binary(pair.server, event.data));
  OK(wsp_next_event(pair.server, &event));
  THAT(event.kind == WSP_EVENT_KIND_NONE);
  THAT(next_step(pair.server) == WSP_STEP_KIND_WRITE);
  free_pair(pair);
  free(message);
}

/* A source of entropy that does what the test says. */
struct source {
  int result;
  wsp_endpoint endpoint;
  /* Called during each use. May be NULL. */
  void (*during)(struct source *source);
  pthread_barrier_t inside, outside;
};

static int fill(void *context, uint8_t *data, size_t len) {
  struct source *source = context;
  memset(data, 7, len); /* in a program: getrandom(2) */
  if (source->during) source->during(source);
  return source->result;
}

static void failing_entropy(void) {
  struct source source = {.result = 1};
  wsp_entropy entropy = {fill, &source};
  wsp_client_request request = {.url = wsp_string("ws://example.com/")};
  wsp_endpoint endpoint;
  EXPECT(WSP_CODE_NO_ENTROPY, wsp_client_new(NULL, &request, &entropy, 0, &endpoint));
  source.result = 0;
  struct pair pair = open_pair(&entropy);
  OK(wsp_send_text(pair.client, wsp_string("masked")));
  source.result = -1;
  EXPECT(WSP_CODE_NO_ENTROPY, wsp_send_text(pair.client, wsp_string("not masked")));
  source.result = 0;
  expect_all(pair.client, WSP_CODE_POISONED);
  free_pair(pair);
  EXPECT(WSP_CODE_STALE_HANDLE, wsp_free(pair.client));
}

static void call_again(struct source *source) {
  expect_all(source->endpoint, WSP_CODE_BUSY);
  EXPECT(WSP_CODE_BUSY, wsp_free(source->endpoint));
  /* Another endpoint is fine, and so is creating and freeing one. */
  OK(wsp_free(new_server()));
}

static void calls_from_the_callback(void) {
  struct source source = {.result = 0};
  wsp_entropy entropy = {fill, &source};
  struct pair pair = open_pair(&entropy);
  source.endpoint = pair.client;
  source.during = call_again;
  OK(wsp_send_text(pair.client, wsp_string("masked")));
  source.during = NULL;
  free_pair(pair);
}

static void wait_for_the_other(struct source *source) {
  pthread_barrier_wait(&source->inside);
  pthread_barrier_wait(&source->outside);
}

static void *send_on_another_thread(void *context) {
  struct source *source = context;
  OK(wsp_send_text(source->endpoint, wsp_string("from another thread")));
  return NULL;
}

/* An endpoint of one thread is used on another, and by two at once. */
static void threads(void) {
  struct source source = {.result = 0};
  wsp_entropy entropy = {fill, &source};
  struct pair pair = open_pair(&entropy);
  pthread_t thread;
  pthread_barrier_init(&source.inside, NULL, 2);
  pthread_barrier_init(&source.outside, NULL, 2);
  source.endpoint = pair.client;
  source.during = wait_for_the_other;
  pthread_create(&thread, NULL, send_on_another_thread, &source);
  pthread_barrier_wait(&source.inside);
  expect_all(pair.client, WSP_CODE_BUSY);
  EXPECT(WSP_CODE_BUSY, wsp_free(pair.client));
  pthread_barrier_wait(&source.outside);
  pthread_join(thread, NULL);
  source.during = NULL;
  deliver(pair.client, pair.server);
  wsp_event event;
  OK(wsp_next_event(pair.server, &event));
  THAT(is_text(event.data, "from another thread"));
  free_pair(pair);
  pthread_barrier_destroy(&source.inside);
  pthread_barrier_destroy(&source.outside);
}

static void messages(void) {
  for (uint32_t code = 0; code < 100; code++) {
    const char *message = wsp_message(code);
    bool is_known = strcmp(message, "unknown code") != 0;
    THAT(is_known == (code <= WSP_CODE_NOT_DONE));
  }
  THAT(strcmp(wsp_message(UINT32_MAX), "unknown code") == 0);
}

/* A time that goes back counts as the time before, and the largest one is a time like others. */
static void times(void) {
  wsp_endpoint server;
  wsp_step step;
  wsp_config short_time = {.open_timeout = 5000000};
  OK(wsp_server_new(&short_time, 1000, &server));
  OK(wsp_next_step(server, 1000, &step));
  THAT(step.kind == WSP_STEP_KIND_READ && step.deadline == 5001000);
  OK(wsp_next_step(server, 0, &step));
  THAT(step.kind == WSP_STEP_KIND_READ && step.deadline == 5001000);
  OK(wsp_next_step(server, UINT64_MAX, &step));
  OK(wsp_abort(server));
  wsp_end end;
  OK(wsp_get_end(server, &end));
  THAT(end.outcome == WSP_OUTCOME_FAILED && end.interruption == WSP_INTERRUPTION_OPEN_TIMEOUT);
  OK(wsp_free(server));
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "many") == 0) {
    many_handles();
  } else {
    null_pointers();
    handles();
    after_the_end();
    unwritten_close();
    lengths();
    contents();
    wrong_order();
    rejections();
    held_events();
    deliveries();
    full();
    failing_entropy();
    calls_from_the_callback();
    threads();
    messages();
    times();
  }
  THAT(wsp_endpoint_count() == 0);
  printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
