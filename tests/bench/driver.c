/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast half of the benchmarks: what is timed is timed here, so that no interpreter's time is
 * part of it. It knows ttrpc's frames; the requests in them come ready-made from bench.py, on
 * standard input, each behind its length (four bytes, big-endian). Uses nothing of the project,
 * and is the same for every shim. Prints nanoseconds, one measurement a line.
 *
 *   driver start FOLDER ARG...         start one shim for each bundle in FOLDER, all at once; an
 * ARG
 *                                      "@" becomes the bundle's name; prints the time, then NAME
 *                                      ADDRESS for each
 *   driver call SOCKET ROUNDS          make the given calls one after the other, ROUNDS times
 *   driver end {PID SOCKET}...         make the given call to every shim at once, wait for their
 * ends driver oci ROUNDS PIDFILE ARG...   run a command that leaves a process; time until that has
 * ended driver drain FIFO                  read to the end; prints bytes and time from the first
 * byte on driver sink SOCKET                 answer every request with success, as an Events
 * endpoint
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 10, /* length and stream id, big-endian, type, flags */
    TYPE_REQUEST = 1,
    TYPE_RESPONSE = 2,
    STATUS_TAG = 0x0a, /* field 1 of a Response: the call failed */
    DATA_MAX = 64 * 1024,
    CALLS_MAX = 16,
    SHIMS_MAX = 1000,
};

extern char **environ;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "driver: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- frames --------------------------------------------------------------------------------- */

struct request {
    uint32_t bytes; /* with its header */
    uint8_t frame[HEADER_BYTES + DATA_MAX];
};

static void put_be32(uint8_t *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get_be32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return ntohl(value);
}

/* False where the stream ends first. */
static bool read_all(int fd, void *data, size_t bytes)
{
    for (size_t got = 0; got < bytes;) {
        ssize_t n = read(fd, (uint8_t *)data + got, bytes - got);

        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* Reads the calls to be made from standard input; returns how many. */
static unsigned read_requests(struct request *requests)
{
    uint8_t length[4];
    unsigned n = 0;

    while (read_all(STDIN_FILENO, length, sizeof(length))) {
        uint32_t bytes = get_be32(length);

        if (n == CALLS_MAX || bytes > DATA_MAX) {
            errno = E2BIG;
            die("the given calls");
        }
        if (!read_all(STDIN_FILENO, requests[n].frame + HEADER_BYTES, bytes))
            die("the given calls end early");
        put_be32(requests[n].frame, bytes);
        requests[n].frame[8] = TYPE_REQUEST;
        requests[n++].bytes = HEADER_BYTES + bytes;
    }
    return n;
}

static void send_request(int fd, struct request *request, uint32_t stream)
{
    put_be32(request->frame + 4, stream);
    if (write(fd, request->frame, request->bytes) != (ssize_t)request->bytes)
        die("send a request");
}

/* Blocks until the one answer that is awaited is there. One read, if it comes in one piece. */
static void receive_answer(int fd, uint32_t stream)
{
    static uint8_t answer[HEADER_BYTES + DATA_MAX];
    size_t got = 0;

    while (got < HEADER_BYTES || got < HEADER_BYTES + (size_t)get_be32(answer)) {
        ssize_t n = read(fd, answer + got, sizeof(answer) - got);

        if (n <= 0)
            die("receive an answer");
        got += (size_t)n;
    }
    if (get_be32(answer + 4) == stream && answer[8] == TYPE_RESPONSE &&
        (got == HEADER_BYTES || answer[HEADER_BYTES] != STATUS_TAG))
        return;
    fprintf(stderr, "driver: call failed: %.*s\n", (int)(got - HEADER_BYTES),
            (char *)answer + HEADER_BYTES);
    exit(1);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strncmp(path, "unix://", 7) == 0)
        path += 7;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die(path);
    return fd;
}

/* --- call ----------------------------------------------------------------------------------- */

static int call_main(const char *path, unsigned rounds)
{
    static struct request requests[CALLS_MAX];
    unsigned n = read_requests(requests);
    int64_t *took_ns = calloc(rounds, sizeof(*took_ns));
    int fd = connect_to(path);
    uint32_t stream = 1;

    if (!took_ns)
        die("calloc");
    for (unsigned round = 0; round < rounds; round++) {
        took_ns[round] = -now_ns();
        for (unsigned i = 0; i < n; i++, stream += 2) {
            send_request(fd, &requests[i], stream);
            receive_answer(fd, stream);
        }
        took_ns[round] += now_ns();
    }
    for (unsigned round = 0; round < rounds; round++)
        printf("%" PRId64 "\n", took_ns[round]);
    free(took_ns);
    return 0;
}

/* --- start ---------------------------------------------------------------------------------- */

struct start {
    char name[64];
    pid_t pid;
    int out; /* the read end of its standard output */
};

static unsigned list_bundles(const char *folder, struct start *starts)
{
    DIR *dir = opendir(folder);
    unsigned n = 0;

    if (!dir)
        die(folder);
    for (struct dirent *entry; n < SHIMS_MAX && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            snprintf(starts[n++].name, sizeof(starts->name), "%.63s", entry->d_name);
    closedir(dir);
    return n;
}

static void spawn_start(struct start *start, const char *folder, char **args, int n_args)
{
    posix_spawn_file_actions_t actions;
    char bundle[4096], **argv = calloc((size_t)n_args + 1, sizeof(*argv));
    int ends[2];

    if (!argv || pipe2(ends, O_CLOEXEC) != 0)
        die("prepare a start");
    snprintf(bundle, sizeof(bundle), "%s/%s", folder, start->name);
    for (int i = 0; i < n_args; i++)
        argv[i] = strcmp(args[i], "@") == 0 ? start->name : args[i];
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, bundle);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    errno = posix_spawn(&start->pid, argv[0], &actions, NULL, argv, environ);
    if (errno)
        die(argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    start->out = ends[0];
    free(argv);
}

/* Like containerd: the address counts when standard output has ended and the helper is gone. */
static void finish_start(struct start *start, char *ret_address, size_t size)
{
    int status;
    size_t got = 0;
    ssize_t n;

    while ((n = read(start->out, ret_address + got, size - 1 - got)) > 0)
        got += (size_t)n;
    ret_address[got] = 0;
    if (waitpid(start->pid, &status, 0) < 0 || status != 0 || got == 0)
        die("a shim's `start`");
    close(start->out);
}

static int start_main(const char *folder, char **args, int n_args)
{
    static struct start starts[SHIMS_MAX];
    static char addresses[SHIMS_MAX][256];
    unsigned n = list_bundles(folder, starts);
    int64_t began = now_ns();

    for (unsigned i = 0; i < n; i++)
        spawn_start(&starts[i], folder, args, n_args);
    for (unsigned i = 0; i < n; i++)
        finish_start(&starts[i], addresses[i], sizeof(addresses[i]));
    printf("%" PRId64 "\n", now_ns() - began);
    for (unsigned i = 0; i < n; i++)
        printf("%s %s\n", starts[i].name, addresses[i]);
    return 0;
}

/* --- end ------------------------------------------------------------------------------------ */

static int end_main(char **args, int n_args)
{
    static struct request requests[CALLS_MAX];
    static struct pollfd ends[SHIMS_MAX];
    unsigned n_requests = read_requests(requests);
    unsigned n = (unsigned)n_args / 2;
    int64_t began;

    if (n > SHIMS_MAX || n_requests != 1) {
        errno = EINVAL;
        die("end");
    }
    for (unsigned i = 0; i < n; i++) {
        ends[i].fd = (int)syscall(SYS_pidfd_open, atoi(args[2 * i]), 0);
        ends[i].events = POLLIN;
        if (ends[i].fd < 0)
            die("pidfd_open");
    }
    began = now_ns();
    for (unsigned i = 0; i < n; i++)
        send_request(connect_to(args[2 * i + 1]), requests, 1);
    for (unsigned i = 0; i < n; i++)
        if (poll(&ends[i], 1, 30000) != 1)
            die("a shim does not end");
    printf("%" PRId64 "\n", now_ns() - began);
    return 0;
}

/* --- oci ------------------------------------------------------------------------------------ */

/* Waits for the process that the command has left to us. */
static void await_left_process(const char *pid_file)
{
    FILE *file = fopen(pid_file, "re");
    int pid = 0, status;

    if (!file || fscanf(file, "%d", &pid) != 1)
        die(pid_file);
    fclose(file);
    if (waitpid(pid, &status, 0) != pid)
        die("wait for the process");
}

static int oci_main(unsigned rounds, const char *pid_file, char **argv)
{
    posix_spawn_file_actions_t actions;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    posix_spawn_file_actions_init(&actions);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    for (unsigned round = 0; round < rounds; round++) {
        int64_t began = now_ns();
        int status;
        pid_t pid;

        errno = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
        if (errno || waitpid(pid, &status, 0) != pid || status != 0)
            die(argv[0]);
        await_left_process(pid_file);
        printf("%" PRId64 "\n", now_ns() - began);
    }
    return 0;
}

/* --- drain ---------------------------------------------------------------------------------- */

/* Moves what comes to nowhere without copying it, so that the reader costs next to nothing. */
static int drain_main(const char *path)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int fd = open(path, O_RDONLY | O_CLOEXEC); /* until the writer is there */
    int64_t began = 0, bytes = 0;
    ssize_t n;

    if (fd < 0 || null < 0)
        die(path);
    while ((n = splice(fd, NULL, null, NULL, 1 << 20, 0)) > 0) {
        began = began ? began : now_ns();
        bytes += n;
    }
    if (n < 0)
        die("splice");
    printf("%" PRId64 " %" PRId64 "\n", bytes, now_ns() - began);
    return 0;
}

/* --- sink ----------------------------------------------------------------------------------- */

/* Answers one request; false when the connection has ended. */
static bool answer_one(int fd)
{
    static uint8_t data[4 << 20];
    uint8_t header[HEADER_BYTES];

    if (!read_all(fd, header, sizeof(header)) || get_be32(header) > sizeof(data) ||
        !read_all(fd, data, get_be32(header)))
        return false;
    put_be32(header, 0);
    header[8] = TYPE_RESPONSE;
    return send(fd, header, sizeof(header), MSG_NOSIGNAL) == sizeof(header);
}

static int sink_main(const char *path)
{
    static struct pollfd fds[SHIMS_MAX];
    struct sockaddr_un address = address_of(path);
    nfds_t n = 1;

    fds[0] = (struct pollfd){socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), POLLIN, 0};
    if (bind(fds[0].fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fds[0].fd, SHIMS_MAX) != 0)
        die(path);
    puts("listening");
    fflush(stdout);
    while (poll(fds, n, -1) > 0) {
        for (nfds_t i = n - 1; i > 0; i--)
            if (fds[i].revents && !answer_one(fds[i].fd)) {
                close(fds[i].fd);
                fds[i] = fds[--n];
            }
        if (fds[0].revents && n < SHIMS_MAX)
            fds[n++] = (struct pollfd){accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC), POLLIN, 0};
    }
    die("poll");
}

int main(int argc, char **argv)
{
    const char *action = argc > 2 ? argv[1] : "";

    if (strcmp(action, "start") == 0 && argc > 3)
        return start_main(argv[2], argv + 3, argc - 3);
    if (strcmp(action, "call") == 0 && argc == 4)
        return call_main(argv[2], (unsigned)atoi(argv[3]));
    if (strcmp(action, "end") == 0)
        return end_main(argv + 2, argc - 2);
    if (strcmp(action, "oci") == 0 && argc > 4)
        return oci_main((unsigned)atoi(argv[2]), argv[3], argv + 4);
    if (strcmp(action, "drain") == 0)
        return drain_main(argv[2]);
    if (strcmp(action, "sink") == 0)
        return sink_main(argv[2]);
    fprintf(stderr,
            "usage: driver start|call|end|oci|drain|sink ARG...; see the head of driver.c\n");
    return 2;
}
