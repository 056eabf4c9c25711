/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer without any library: a plain unix socket, frames as bytes. And a server to talk to, in a
 * folder of its own. Everything fails the test rather than return an error, waiting ends after ten
 * seconds.
 */
#pragma once
#include "tests/test.h"
#include "tests/unit/ttrpc/echo.h"
#include "ttrpc/frame.h"
#include <stdbool.h>

struct site {
    char dir[32];
    char path[64];     /* of the socket */
    char address[128]; /* unix://path */
};
void site_make(struct site *site);
void site_remove(struct site *site); /* with the socket, if it is still there */

struct served {
    struct site site;
    struct echo echo;
    struct ttrpc_server *server;
};
/* `config` may be NULL. */
void served_start(struct served *s, const struct ttrpc_server_config *config);
void served_stop(struct served *s); /* releases parked calls first */

int peer_connect(const char *path);
int peer_listen(const char *path);
int peer_accept(int listener);
void peer_write(int fd, const void *data, size_t bytes);
/* Bytes of a hex text; returns their number. */
size_t peer_unhex(const char *hex, uint8_t *ret, size_t max_bytes);
void peer_write_hex(int fd, const char *hex);
void peer_read(int fd, void *ret, size_t bytes);
void peer_expect_hex(int fd, const char *hex);
void peer_expect_closed(int fd);

/* A request of the echo service. Returns the frame's length; at most 300 bytes more than `text`. */
size_t peer_request(uint8_t *ret, uint32_t id, const char *method, const char *text,
                    int64_t timeout_ns);
void peer_call(int fd, uint32_t id, const char *method, const char *text);

struct peer_answer {
    uint32_t id;
    int code;        /* as on the wire, 0 for success */
    char *message;   /* of the status, or the answer's text; malloc'ed */
    uint32_t length; /* of the frame's data */
};
void peer_answer_done(struct peer_answer *a);
#define cleanup_answer SHIM_CLEANUP(peer_answer_done)
struct peer_answer peer_receive(int fd);
/* Receives one answer and compares all of it. */
void peer_expect(int fd, uint32_t id, int code, const char *message);
