#define _POSIX_C_SOURCE 200809L

#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t clock_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void check(wsp_code code) {
  if (code == WSP_CODE_OK) return;
  fprintf(stderr, "%s\n", wsp_message(code));
  abort();
}

bool link_watch(struct link *link, int epoll) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
  link->watched = EPOLLIN;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, link->socket, &event) == 0;
}

/* Makes epoll watch for what the endpoint waits for. The other events would make it return at once, again and again. */
static void watch_for(struct link *link, int epoll, uint32_t events) {
  if (link->watched == events) return;
  struct epoll_event event = {.events = events, .data.ptr = link};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, link->socket, &event) == 0) link->watched = events;
}

static void read_socket(struct link *link) {
  wsp_space space;
  check(wsp_read_space(link->endpoint, &space));
  ssize_t size = recv(link->socket, space.data, space.len, 0);
  if (size >= 0) {
    check(wsp_received(link->endpoint, (size_t)size));
  } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
    check(wsp_read_blocked(link->endpoint));
  } else if (errno != EINTR) {
    check(wsp_read_failed(link->endpoint, errno));
  }
}

static void write_failed(struct link *link, int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) {
    check(wsp_write_blocked(link->endpoint));
  } else if (error != EINTR) {
    check(wsp_write_failed(link->endpoint, error));
  }
}

static void write_socket(struct link *link) {
  wsp_bytes output;
  check(wsp_output(link->endpoint, &output));
  ssize_t size = send(link->socket, output.data, output.len, MSG_NOSIGNAL);
  if (size >= 0) {
    check(wsp_written(link->endpoint, (size_t)size));
  } else {
    write_failed(link, errno);
  }
}

static void shut_down(struct link *link) {
  if (shutdown(link->socket, SHUT_WR) == 0) {
    check(wsp_shut_down(link->endpoint));
  } else {
    write_failed(link, errno);
  }
}

static uint32_t events_of(wsp_interest interest) {
  switch (interest) {
    case WSP_INTEREST_NOTHING: return 0;
    case WSP_INTEREST_READABLE: return EPOLLIN;
    case WSP_INTEREST_WRITABLE: return EPOLLOUT;
    case WSP_INTEREST_BOTH: return EPOLLIN | EPOLLOUT;
  }
  return 0;
}

void link_begin_turn(struct link *link) { check(wsp_ready(link->endpoint)); }

wsp_step_kind link_step(struct link *link, int epoll, bool *has_read) {
  for (;;) {
    wsp_step step;
    check(wsp_next_step(link->endpoint, clock_now(), &step));
    link->deadline = step.deadline;
    switch (step.kind) {
      case WSP_STEP_KIND_READ:
        if (*has_read) {
          /* What is left to read makes epoll return at once, and the endpoint may wait for output to be accepted as well. */
          check(wsp_read_blocked(link->endpoint));
        } else {
          *has_read = true;
          read_socket(link);
        }
        break;
      case WSP_STEP_KIND_WRITE: write_socket(link); break;
      case WSP_STEP_KIND_FLUSH: check(wsp_flushed(link->endpoint)); break;
      case WSP_STEP_KIND_SHUTDOWN: shut_down(link); break;
      case WSP_STEP_KIND_WAIT: watch_for(link, epoll, events_of(step.interest)); return step.kind;
      case WSP_STEP_KIND_REQUEST:
      case WSP_STEP_KIND_RESPONSE:
      case WSP_STEP_KIND_EVENT:
      case WSP_STEP_KIND_DONE: return step.kind;
    }
  }
}

bool link_end(struct link *link, const char *name) {
  wsp_end end;
  check(wsp_get_end(link->endpoint, &end));
  bool is_clean = end.is_clean;
  if (name) fprintf(stderr, "%s: %.*s\n", name, (int)end.text.len, (const char *)end.text.data);
  close(link->socket);
  check(wsp_free(link->endpoint));
  return is_clean;
}
