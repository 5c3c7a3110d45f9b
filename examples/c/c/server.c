/* An echo server on epoll, in one thread.
 *
 *     server [--deflate] [--max-message BYTES] [ADDRESS:PORT]
 *
 * It prints `listening on ws://ADDRESS:PORT` when it is ready, and a line to stderr for each connection that has ended. SIGTERM or
 * SIGINT makes it close all connections with code 1001 and end when they have ended; a second one, to end at once. */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"

/* How often deadlines are checked, in milliseconds. */
enum { TICK = 250, EVENTS = 64 };

/* One client, in the list of all. */
struct client {
  struct link link;
  struct client *next, *previous;
};

struct server {
  int epoll, listener;
  wsp_config config;
  struct client *clients;
};

static volatile sig_atomic_t signals = 0;

static void count_signal(int signal) {
  (void)signal;
  signals++;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* Sends each message back. The endpoint answers Pings and Closes. */
static void echo(wsp_endpoint endpoint) {
  for (;;) {
    wsp_event event;
    check(wsp_next_event(endpoint, &event));
    switch (event.kind) {
      case WSP_EVENT_KIND_NONE: return;
      /* A client that is closing gets no more messages, so this error is ignored. */
      case WSP_EVENT_KIND_TEXT: wsp_send_text(endpoint, event.data); break;
      case WSP_EVENT_KIND_BINARY: wsp_send_binary(endpoint, event.data); break;
      default: break;
    }
  }
}

static void leave(struct server *server, struct client *client) {
  if (client->next) client->next->previous = client->previous;
  if (client->previous) client->previous->next = client->next;
  if (server->clients == client) server->clients = client->next;
  link_end(&client->link, "client");
  free(client);
}

static void turn(struct server *server, struct client *client) {
  wsp_endpoint endpoint = client->link.endpoint;
  bool has_read = false;
  link_begin_turn(&client->link);
  for (;;) {
    switch (link_step(&client->link, server->epoll, &has_read)) {
      /* A request that is not valid is answered automatically. */
      case WSP_STEP_KIND_REQUEST: wsp_accept(endpoint, NULL); break;
      case WSP_STEP_KIND_EVENT: echo(endpoint); break;
      case WSP_STEP_KIND_DONE: leave(server, client); return;
      default: return;
    }
  }
}

/* Returns false if there is no client, or no memory for it. */
static bool accept_one(struct server *server) {
  int one = 1, socket = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) return errno == EINTR || errno == ECONNABORTED;
  struct client *client = calloc(1, sizeof *client);
  if (!client) {
    close(socket);
    return false;
  }
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  client->link.socket = socket;
  check(wsp_server_new(&server->config, clock_now(), &client->link.endpoint));
  client->next = server->clients;
  if (client->next) client->next->previous = client;
  server->clients = client;
  if (!link_watch(&client->link, server->epoll)) check(wsp_abort(client->link.endpoint));
  turn(server, client);
  return true;
}

static void check_deadlines(struct server *server) {
  uint64_t now = clock_now();
  for (struct client *client = server->clients, *next; client; client = next) {
    next = client->next;
    if (client->link.deadline <= now) turn(server, client);
  }
}

/* Stops accepting, and closes all connections, with a Close or without. */
static void go_away(struct server *server, bool at_once) {
  if (server->listener >= 0) close(server->listener);
  server->listener = -1;
  for (struct client *client = server->clients, *next; client; client = next) {
    next = client->next;
    /* Before the connection is open there is no Close. */
    wsp_code code = wsp_close(client->link.endpoint, 1001, wsp_string("going away"));
    if (at_once || code != WSP_CODE_OK) check(wsp_abort(client->link.endpoint));
    turn(server, client);
  }
}

static void run(struct server *server) {
  uint64_t tick = clock_now();
  int signals_handled = 0;
  while (server->listener >= 0 || server->clients) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(server->epoll, events, EVENTS, TICK);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; i++) {
      struct client *client = events[i].data.ptr;
      if (client) {
        turn(server, client);
      } else {
        while (accept_one(server)) {
        }
      }
    }
    if (signals != signals_handled) {
      signals_handled = signals;
      go_away(server, signals_handled > 1);
    }
    if (clock_now() - tick >= TICK * UINT64_C(1000000)) {
      tick = clock_now();
      check_deadlines(server);
    }
  }
}

static int listen_on(const char *address) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9001)};
  char host[64] = "";
  unsigned short port;
  if (address) {
    if (sscanf(address, "%63[0-9.]:%hu", host, &port) != 2 || inet_pton(AF_INET, host, &name.sin_addr) != 1) {
      fprintf(stderr, "%s is not ADDRESS:PORT\n", address);
      exit(64);
    }
    name.sin_port = htons(port);
  }
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  socklen_t size = sizeof name;
  if (listener < 0) fail("socket");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&name, size) < 0) fail("bind");
  if (listen(listener, SOMAXCONN) < 0) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&name, &size) < 0) fail("getsockname");
  printf("listening on ws://%s:%d\n", inet_ntop(AF_INET, &name.sin_addr, host, sizeof host), ntohs(name.sin_port));
  fflush(stdout);
  return listener;
}

int main(int argc, char **argv) {
  struct server server = {.clients = NULL};
  const char *address = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--deflate") == 0) {
      server.config.deflate = 1;
    } else if (strcmp(argv[i], "--max-message") == 0 && i + 1 < argc) {
      server.config.max_message_size = strtoull(argv[++i], NULL, 10);
    } else if (argv[i][0] == '-') {
      fprintf(stderr, "usage: server [--deflate] [--max-message BYTES] [ADDRESS:PORT]\n");
      return 64;
    } else {
      address = argv[i];
    }
  }
  struct sigaction action = {.sa_handler = count_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  server.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (server.epoll < 0) fail("epoll_create1");
  server.listener = listen_on(address);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &event) < 0) fail("epoll_ctl");
  run(&server);
  close(server.epoll);
  return wsp_endpoint_count() == 0 ? 0 : 1;
}
