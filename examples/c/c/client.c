/* A client on epoll.
 *
 *     client echo URL COUNT SIZE [--deflate]      sends COUNT messages of SIZE bytes, and compares their echoes
 *     client autobahn URL AGENT [--deflate]       the client under test in the Autobahn test suite
 *
 * TLS is not included: URLs start with `ws:`. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"

/* What one connection is for: what it sends, and what it does with events. */
struct job {
  /* Called after each turn while the connection is open. May be NULL. */
  void (*send)(struct job *job, wsp_endpoint endpoint);
  void (*handle)(struct job *job, wsp_endpoint endpoint, const wsp_event *event);
  /* For `echo`. */
  unsigned long count, sent, received;
  size_t size;
  uint8_t *message;
  bool has_failed;
  /* For `autobahn`: the number of cases. */
  unsigned long cases;
};

static wsp_config config;

static bool is_open(wsp_endpoint endpoint) {
  wsp_sending sending;
  check(wsp_get_sending(endpoint, &sending));
  return sending.is_open;
}

/* Connects to the address of the URL. Returns -1 after an error, which is printed. */
static int connect_to(const wsp_address *address) {
  if (address->secure) {
    fprintf(stderr, "wss: this program has no TLS\n");
    return -1;
  }
  char host[256], port[8];
  snprintf(host, sizeof host, "%.*s", (int)address->host.len, (const char *)address->host.data);
  snprintf(port, sizeof port, "%d", address->port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  int error = getaddrinfo(host, port, &hints, &found), one = 1, result = -1;
  if (error) {
    fprintf(stderr, "%s: %s\n", host, gai_strerror(error));
    return -1;
  }
  for (struct addrinfo *name = found; name && result < 0; name = name->ai_next) {
    result = socket(name->ai_family, name->ai_socktype | SOCK_CLOEXEC, name->ai_protocol);
    if (result >= 0 && connect(result, name->ai_addr, name->ai_addrlen) < 0) {
      close(result);
      result = -1;
    }
  }
  if (result < 0) perror(host);
  freeaddrinfo(found);
  if (result >= 0) {
    setsockopt(result, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(result, F_SETFL, fcntl(result, F_GETFL) | O_NONBLOCK);
  }
  return result;
}

static void take_response(wsp_endpoint endpoint) {
  wsp_response response;
  check(wsp_take_response(endpoint, &response));
  if (!response.is_open) fprintf(stderr, "rejected: %.*s\n", (int)response.body.len, (const char *)response.body.data);
}

static void handle_events(struct job *job, wsp_endpoint endpoint) {
  for (;;) {
    wsp_event event;
    check(wsp_next_event(endpoint, &event));
    if (event.kind == WSP_EVENT_KIND_NONE) return;
    job->handle(job, endpoint, &event);
  }
}

/* Waits until the socket is ready, or the deadline has passed. */
static void wait_for(const struct link *link, int epoll) {
  uint64_t now = clock_now(), left = link->deadline > now ? link->deadline - now : 0;
  int timeout = left / 1000000 < 60000 ? (int)(left / 1000000) + 1 : 60000;
  struct epoll_event event;
  if (epoll_wait(epoll, &event, 1, timeout) < 0 && errno != EINTR) {
    perror("epoll_wait");
    exit(1);
  }
}

/* Drives the connection to its end. */
static void drive(struct job *job, struct link *link, int epoll) {
  for (;;) {
    bool has_read = false;
    link_begin_turn(link);
    for (wsp_step_kind kind = WSP_STEP_KIND_EVENT; kind != WSP_STEP_KIND_WAIT;) {
      kind = link_step(link, epoll, &has_read);
      if (kind == WSP_STEP_KIND_DONE) return;
      if (kind == WSP_STEP_KIND_RESPONSE) take_response(link->endpoint);
      if (kind == WSP_STEP_KIND_EVENT) handle_events(job, link->endpoint);
      if (kind != WSP_STEP_KIND_WAIT || !job->send || !is_open(link->endpoint)) continue;
      /* What is sent here has to be written before the program waits. */
      unsigned long before = job->sent;
      job->send(job, link->endpoint);
      if (job->sent != before) kind = WSP_STEP_KIND_EVENT;
    }
    wait_for(link, epoll);
  }
}

/* Runs one connection. Returns whether it ended cleanly; prints how it ended if `name` is not NULL. */
static bool run(struct job *job, const char *url, const char *name) {
  wsp_client_request request = {.url = wsp_string(url)};
  struct link link = {.socket = -1};
  wsp_code code = wsp_client_new(&config, &request, NULL, clock_now(), &link.endpoint);
  if (code != WSP_CODE_OK) {
    fprintf(stderr, "%s: %s\n", url, wsp_message(code));
    return false;
  }
  wsp_address address;
  check(wsp_client_address(link.endpoint, &address));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  link.socket = connect_to(&address);
  if (epoll < 0 || link.socket < 0 || !link_watch(&link, epoll)) check(wsp_abort(link.endpoint));
  drive(job, &link, epoll);
  close(epoll);
  return link_end(&link, name);
}

/* Sends until as much output waits as is allowed, and the Close after the last echo. */
static void send_messages(struct job *job, wsp_endpoint endpoint) {
  if (job->received == job->count || job->has_failed) {
    check(wsp_close(endpoint, 1000, wsp_string("done")));
    job->sent++;
    return;
  }
  while (job->sent < job->count) {
    wsp_bytes message = {job->message, job->size};
    wsp_code code = wsp_send_binary(endpoint, message);
    if (code == WSP_CODE_FULL) return;
    check(code);
    job->sent++;
  }
}

static void compare(struct job *job, wsp_endpoint endpoint, const wsp_event *event) {
  (void)endpoint;
  if (event->kind != WSP_EVENT_KIND_BINARY) return;
  bool is_same = event->data.len == job->size && memcmp(event->data.data, job->message, job->size) == 0;
  if (!is_same) job->has_failed = true;
  job->received++;
}

static int echo(const char *url, const char *count, const char *size) {
  struct job job = {.send = send_messages, .handle = compare};
  job.count = strtoul(count, NULL, 10);
  job.size = strtoul(size, NULL, 10);
  job.message = malloc(job.size + 1);
  if (!job.message) return 1;
  for (size_t i = 0; i < job.size; i++) job.message[i] = (uint8_t)(i * 31 >> 3);
  bool is_clean = run(&job, url, "echo");
  bool is_right = is_clean && !job.has_failed && job.received == job.count;
  printf("%lu of %lu echoes of %zu bytes, %s\n", job.received, job.count, job.size, is_right ? "all right" : "WRONG");
  free(job.message);
  return is_right ? 0 : 1;
}

static void reply(struct job *job, wsp_endpoint endpoint, const wsp_event *event) {
  (void)job;
  /* The server may be closing, in which case no echo is expected. */
  if (event->kind == WSP_EVENT_KIND_TEXT) wsp_send_text(endpoint, event->data);
  if (event->kind == WSP_EVENT_KIND_BINARY) wsp_send_binary(endpoint, event->data);
}

static void read_count(struct job *job, wsp_endpoint endpoint, const wsp_event *event) {
  (void)endpoint;
  char number[16];
  if (event->kind != WSP_EVENT_KIND_TEXT) return;
  snprintf(number, sizeof number, "%.*s", (int)event->data.len, (const char *)event->data.data);
  job->cases = strtoul(number, NULL, 10);
}

static int autobahn(const char *url, const char *agent) {
  char target[512];
  unsigned long clean = 0;
  struct job count = {.handle = read_count}, one = {.handle = reply};
  snprintf(target, sizeof target, "%s/getCaseCount", url);
  run(&count, target, NULL);
  for (unsigned long number = 1; number <= count.cases; number++) {
    snprintf(target, sizeof target, "%s/runCase?case=%lu&agent=%s", url, number, agent);
    clean += run(&one, target, NULL);
  }
  snprintf(target, sizeof target, "%s/updateReports?agent=%s", url, agent);
  run(&one, target, NULL);
  printf("%s: ran %lu cases, %lu of them ended cleanly\n", agent, count.cases, clean);
  return count.cases == 0;
}

int main(int argc, char **argv) {
  /* The largest messages of the Autobahn test suite are 16 MiB. */
  config.max_message_size = 32 * 1024 * 1024;
  if (argc > 1 && strcmp(argv[argc - 1], "--deflate") == 0) {
    config.deflate = 1;
    argc--;
  }
  int status;
  if (argc == 5 && strcmp(argv[1], "echo") == 0) {
    status = echo(argv[2], argv[3], argv[4]);
  } else if (argc == 4 && strcmp(argv[1], "autobahn") == 0) {
    status = autobahn(argv[2], argv[3]);
  } else {
    fprintf(stderr, "usage: client echo URL COUNT SIZE [--deflate] | client autobahn URL AGENT [--deflate]\n");
    return 64;
  }
  return wsp_endpoint_count() == 0 ? status : 1;
}
