/* A connection on a non-blocking socket: what the server and the client share. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "websocket_proto.h"

/* A socket, and the endpoint that says what to do with it. */
struct link {
  int socket;
  wsp_endpoint endpoint;
  /* What epoll watches the socket for. */
  uint32_t watched;
  /* The latest time for the next turn. */
  uint64_t deadline;
};

/* Returns the time in nanoseconds, by the clock that all endpoints use. */
uint64_t clock_now(void);

/* Ends the program if a call returned an error that cannot happen in a correct program. */
void check(wsp_code code);

/* Adds the socket to `epoll`, with `link` as the data of its events. Returns false if epoll refuses it, with errno set. */
bool link_watch(struct link *link, int epoll);

/* Starts a turn: after the socket became ready, or the deadline has passed. */
void link_begin_turn(struct link *link);

/* Reads, writes, flushes and shuts down, until the program has something to do. Returns REQUEST, RESPONSE, EVENT or DONE; or WAIT,
 * when epoll watches for the right events. A turn reads at most once, if `has_read` is false at its start, so that each connection
 * gets its turn. */
wsp_step_kind link_step(struct link *link, int epoll, bool *has_read);

/* Prints how the endpoint ended, with `name`, closes the socket, and frees the endpoint. Returns whether the end was clean. */
bool link_end(struct link *link, const char *name);

#endif
