/* SPDX-License-Identifier: Apache-2.0 */
/* The plain peer, and the server it talks to. */
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/ttrpc.pb-c.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 10000

void site_make(struct site *site)
{
    snprintf(site->dir, sizeof(site->dir), "/tmp/ttrpc-test-XXXXXX");
    assert_non_null(mkdtemp(site->dir));
    snprintf(site->path, sizeof(site->path), "%s/s", site->dir);
    snprintf(site->address, sizeof(site->address), "unix://%s", site->path);
}

void site_remove(struct site *site)
{
    unlink(site->path);
    assert_int_equal(rmdir(site->dir), 0);
}

void served_start(struct served *s, const struct ttrpc_server_config *config)
{
    static const struct ttrpc_server_config defaults = {0};
    struct shim_error err = {0};

    site_make(&s->site);
    echo_init(&s->echo);
    assert_int_equal(ttrpc_server_new(config ? config : &defaults, &s->server, &err), 0);
    assert_int_equal(ttrpc_server_add(s->server, ECHO_NAME, &s->echo.service.base, &err), 0);
    assert_int_equal(ttrpc_server_listen(s->server, s->site.address, &err), 0);
}

void served_stop(struct served *s)
{
    echo_release(&s->echo);
    ttrpc_server_close(s->server, 5000);
    echo_done(&s->echo);
    ttrpc_server_free(s->server);
    site_remove(&s->site);
}

static void set_address(struct sockaddr_un *sa, const char *path)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path);
}

int peer_connect(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un sa;

    set_address(&sa, path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

int peer_listen(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un sa;

    set_address(&sa, path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;

    do {
        n = poll(&p, 1, WAIT_MS);
    } while (n < 0 && errno == EINTR);
    if (n != 1)
        fail_msg("nothing came within %d ms", WAIT_MS);
}

int peer_accept(int listener)
{
    int fd;

    wait_readable(listener);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

void peer_write(int fd, const void *data, size_t bytes)
{
    const char *at = data;

    while (bytes > 0) {
        ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        assert_true(n > 0);
        at += n;
        bytes -= (size_t)n;
    }
}

size_t peer_unhex(const char *hex, uint8_t *ret, size_t max_bytes)
{
    size_t n = strlen(hex) / 2;

    assert_true(n <= max_bytes);
    for (size_t i = 0; i < n; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};

        ret[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return n;
}

void peer_write_hex(int fd, const char *hex)
{
    uint8_t bytes[1024];

    peer_write(fd, bytes, peer_unhex(hex, bytes, sizeof(bytes)));
}

void peer_read(int fd, void *ret, size_t bytes)
{
    char *at = ret;

    while (bytes > 0) {
        ssize_t n;

        wait_readable(fd);
        n = read(fd, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        assert_true(n > 0);
        at += n;
        bytes -= (size_t)n;
    }
}

void peer_expect_hex(int fd, const char *hex)
{
    uint8_t want[1024], got[1024];
    size_t n = peer_unhex(hex, want, sizeof(want));

    peer_read(fd, got, n);
    assert_memory_equal(got, want, n);
}

void peer_expect_closed(int fd)
{
    char byte;
    ssize_t n;

    wait_readable(fd);
    n = read(fd, &byte, 1);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

size_t peer_request(uint8_t *ret, uint32_t id, const char *method, const char *text,
                    int64_t timeout_ns)
{
    Ttrpc__Request request = TTRPC__REQUEST__INIT;
    Echo__Text message = ECHO__TEXT__INIT;
    size_t bytes;

    message.value = (char *)text;
    request.service = (char *)ECHO_NAME;
    request.method = (char *)method;
    request.payload.len = echo__text__get_packed_size(&message);
    request.payload.data = malloc(request.payload.len + 1);
    echo__text__pack(&message, request.payload.data);
    request.timeout_nano = timeout_ns;
    bytes = ttrpc__request__pack(&request, ret + TTRPC_HEADER_BYTES);
    ttrpc_frame_put_header(ret, (uint32_t)bytes, id, TTRPC_REQUEST);
    free(request.payload.data);
    return TTRPC_HEADER_BYTES + bytes;
}

void peer_call(int fd, uint32_t id, const char *method, const char *text)
{
    uint8_t *frame = malloc(strlen(text) + 300);

    peer_write(fd, frame, peer_request(frame, id, method, text, 0));
    free(frame);
}

void peer_answer_done(struct peer_answer *a)
{
    free(a->message);
    a->message = NULL;
}

static char *text_of(const Ttrpc__Response *response)
{
    Echo__Text *text;
    char *copy;

    if (response->status)
        return strdup(response->status->message);
    text = echo__text__unpack(NULL, response->payload.len, response->payload.data);
    assert_non_null(text);
    copy = strdup(text->value);
    echo__text__free_unpacked(text, NULL);
    return copy;
}

struct peer_answer peer_receive(int fd)
{
    uint8_t header[TTRPC_HEADER_BYTES], *data;
    Ttrpc__Response *response;
    struct peer_answer answer;
    struct ttrpc_frame frame;

    peer_read(fd, header, sizeof(header));
    ttrpc_frame_get_header(header, &frame);
    assert_int_equal(frame.type, TTRPC_RESPONSE);
    assert_int_equal(frame.flags, 0);
    assert_true(frame.data_bytes <= TTRPC_DATA_MAX_BYTES);
    data = malloc(frame.data_bytes + 1);
    peer_read(fd, data, frame.data_bytes);
    response = ttrpc__response__unpack(NULL, frame.data_bytes, data);
    assert_non_null(response);
    answer = (struct peer_answer){
        .id = frame.stream_id,
        .code = response->status ? response->status->code : 0,
        .message = text_of(response),
        .length = frame.data_bytes,
    };
    ttrpc__response__free_unpacked(response, NULL);
    free(data);
    return answer;
}

void peer_expect(int fd, uint32_t id, int code, const char *message)
{
    cleanup_answer struct peer_answer answer = peer_receive(fd);

    assert_int_equal(answer.id, id);
    assert_string_equal(answer.message, message);
    assert_int_equal(answer.code, code);
}
