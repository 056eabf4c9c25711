/* SPDX-License-Identifier: Apache-2.0 */
/* What the operating system has to do for the server beyond nng's streams. */
#pragma once
#include <nng/nng.h>
#include <stdbool.h>

/* nng_stream_listener_listen for an endpoint that only this user can open. Returns nng's code.
 * Posix: sets the process' umask for the moment of the bind. */
int ttrpc_listen_private(nng_stream_listener *listener);

/* Whether the peer runs with our effective user and group; true where the OS does not tell. */
bool ttrpc_peer_is_same_user(nng_stream *stream);

/* Whether a peer can stop writing and still read, so that the end of what it sends does not mean
 * that it is gone. An empty send then tells. */
bool ttrpc_streams_half_close(void);

/* Whether a send that is canceled has either been done or not been begun: then it can be tried. */
bool ttrpc_sends_can_be_taken_back(void);
