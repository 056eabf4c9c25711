/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reader, one writer, one closer at a time: `reading`, `sending` and `closing` are tokens.
 * Whoever holds one owns that direction's buffers without the lock, and the stream cannot be freed;
 * once the connection is closed and all tokens are back, it is lost. nng completes operations on
 * threads of its own, so they are begun under the lock, and none once `closed` is set: nng 1.5
 * never completes an operation that begins after nng_stream_close().
 */
#include "ttrpc/channel.h"
#include "base/thread.h"
#include "ttrpc/nng_error.h"
#include "ttrpc/platform.h"
#include <stdlib.h>
#include <string.h>

#define READ_BYTES ((size_t)16 * 1024)
#define IOV_MAX_N  4 /* nng promises no more */

struct ttrpc_channel {
    const struct ttrpc_channel_ops *ops;
    void *user;
    size_t max_queued_bytes;
    nng_stream *stream;
    nng_aio *read_aio, *send_aio;

    /* The reader's: buf[begin, end) is not parsed yet. */
    uint8_t *buf;
    size_t cap, begin, end;
    size_t skip_bytes; /* still to be thrown away of `skipped` */
    struct ttrpc_frame skipped;
    bool waking; /* the read aio sleeps instead of reading */

    struct shim_mutex lock; /* leaf; guards what follows */
    bool reading, sending, closing;
    bool paused; /* the reader stopped with frames left to parse */
    bool held;   /* by ttrpc_channel_hold */
    bool ended;  /* the peer writes no more; an empty send is to tell whether it is gone */
    bool probing, finishing, closed;
    struct ttrpc_out *queue, **queue_end;
    size_t queued_bytes, head_sent_bytes;
};

/* --- the end -------------------------------------------------------------------------------- */

static void drop_all(struct ttrpc_out *list)
{
    struct ttrpc_out *next;

    for (; list; list = next) {
        next = list->next;
        ttrpc_out_drop(list);
    }
}

/* Gives a token back. True for the one caller that then has to tell `lost`. */
static bool give_back_locked(struct ttrpc_channel *ch, bool *token) SHIM_REQUIRES(ch->lock)
{
    *token = false;
    return ch->closed && !ch->reading && !ch->sending && !ch->closing;
}

static void tell_lost(struct ttrpc_channel *ch)
{
    struct ttrpc_out *dropped;

    shim_lock(&ch->lock);
    dropped = ch->queue;
    ch->queue = NULL;
    ch->queue_end = &ch->queue;
    shim_unlock(&ch->lock);

    drop_all(dropped);
    free(ch->buf);
    ch->buf = NULL;
    ch->ops->lost(ch->user);
}

static void give_back(struct ttrpc_channel *ch, bool *token)
{
    bool lost;

    shim_lock(&ch->lock);
    lost = give_back_locked(ch, token);
    shim_unlock(&ch->lock);
    if (lost)
        tell_lost(ch);
}

/* Has the reader run on an nng thread. */
static void wake_reader_locked(struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    ch->paused = false;
    ch->reading = true;
    ch->waking = true;
    nng_sleep_aio(0, ch->read_aio);
}

void ttrpc_channel_close(struct ttrpc_channel *ch)
{
    bool first;

    shim_lock(&ch->lock);
    first = !ch->closed;
    ch->closed = true;
    ch->closing = ch->closing || first;
    shim_unlock(&ch->lock);
    if (!first)
        return;

    nng_stream_close(ch->stream); /* may block where it has to wait for the OS */

    shim_lock(&ch->lock);
    if (give_back_locked(ch, &ch->closing))
        wake_reader_locked(ch); /* which tells */
    shim_unlock(&ch->lock);
}

/* --- sending -------------------------------------------------------------------------------- */

static void send_locked(struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    nng_iov iov[IOV_MAX_N];
    unsigned n = 0;

    for (struct ttrpc_out *out = ch->queue; out && n < IOV_MAX_N; out = out->next) {
        size_t sent_bytes = n == 0 ? ch->head_sent_bytes : 0;

        iov[n].iov_buf = out->data + sent_bytes;
        iov[n].iov_len = out->bytes - sent_bytes;
        n++;
    }
    ch->sending = true;
    nng_aio_set_iov(ch->send_aio, n, iov);
    nng_stream_send(ch->stream, ch->send_aio);
}

/* An empty send fails if the peer is gone, and does nothing if it only has stopped writing. */
static void probe_locked(struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    ch->ended = false;
    ch->probing = true;
    ch->sending = true;
    nng_aio_set_iov(ch->send_aio, 0, NULL);
    nng_stream_send(ch->stream, ch->send_aio);
}

/* Takes what has been sent off the queue, chained by `next`. */
static struct ttrpc_out *take_sent_locked(struct ttrpc_channel *ch, size_t bytes)
    SHIM_REQUIRES(ch->lock)
{
    struct ttrpc_out *sent = ch->queue, *last = NULL;

    ch->head_sent_bytes += bytes;
    while (ch->queue && ch->head_sent_bytes >= ch->queue->bytes) {
        last = ch->queue;
        ch->head_sent_bytes -= last->bytes;
        ch->queued_bytes -= last->bytes;
        ch->queue = last->next;
    }
    if (!ch->queue)
        ch->queue_end = &ch->queue;
    if (!last)
        return NULL;
    last->next = NULL;
    return sent;
}

static bool may_resume_locked(const struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    return ch->paused && !ch->held && !ch->closed && !ch->finishing &&
           ch->queued_bytes <= ch->max_queued_bytes / 2;
}

static void read_on(struct ttrpc_channel *ch);

/* Goes on with the writer's token: the next frames, the probe, the end, or nothing. */
static void send_next(struct ttrpc_channel *ch)
{
    bool resume, lost = false, finished = false;

    shim_lock(&ch->lock);
    resume = may_resume_locked(ch);
    if (resume) {
        ch->paused = false;
        ch->reading = true;
    }
    if (ch->closed)
        lost = give_back_locked(ch, &ch->sending);
    else if (ch->queue)
        send_locked(ch);
    else if (ch->finishing)
        finished = true;
    else if (ch->ended)
        probe_locked(ch);
    else
        ch->sending = false;
    shim_unlock(&ch->lock);

    if (lost)
        tell_lost(ch);
    if (finished) {
        ttrpc_channel_close(ch);
        give_back(ch, &ch->sending);
    }
    if (resume)
        read_on(ch);
}

static void send_done(void *arg)
{
    struct ttrpc_channel *ch = arg;
    bool ok = nng_aio_result(ch->send_aio) == 0;
    size_t bytes = ok ? nng_aio_count(ch->send_aio) : 0;
    struct ttrpc_out *sent;
    bool probed;

    shim_lock(&ch->lock);
    probed = ch->probing;
    ch->probing = false;
    sent = take_sent_locked(ch, bytes);
    shim_unlock(&ch->lock);

    drop_all(sent);
    if (!ok || (bytes == 0 && !probed))
        ttrpc_channel_close(ch);
    else if (probed)
        ch->ops->half_closed(ch->user);
    send_next(ch);
}

void ttrpc_channel_send(struct ttrpc_channel *ch, struct ttrpc_out *out)
{
    bool open;

    if (!out) {
        ttrpc_channel_close(ch);
        return;
    }
    out->next = NULL;
    shim_lock(&ch->lock);
    open = !ch->closed;
    if (open) {
        *ch->queue_end = out;
        ch->queue_end = &out->next;
        ch->queued_bytes += out->bytes;
        if (!ch->sending)
            send_locked(ch);
    }
    shim_unlock(&ch->lock);
    if (!open)
        ttrpc_out_drop(out);
}

void ttrpc_channel_finish(struct ttrpc_channel *ch)
{
    bool idle;

    shim_lock(&ch->lock);
    ch->finishing = true;
    idle = !ch->sending;
    shim_unlock(&ch->lock);
    if (idle)
        ttrpc_channel_close(ch);
}

/* --- reading -------------------------------------------------------------------------------- */

static void skip_begin(struct ttrpc_channel *ch, const struct ttrpc_frame *frame)
{
    ch->skipped = *frame;
    ch->skipped.data = NULL;
    ch->skip_bytes = frame->data_bytes;
    ch->begin += TTRPC_HEADER_BYTES;
}

static bool skip_on(struct ttrpc_channel *ch)
{
    size_t have = ch->end - ch->begin;
    size_t n = have < ch->skip_bytes ? have : ch->skip_bytes;
    struct shim_error why;

    ch->begin += n;
    ch->skip_bytes -= n;
    if (ch->skip_bytes > 0)
        return false;
    if (ch->skipped.data_bytes > TTRPC_DATA_MAX_BYTES)
        ttrpc_fail_too_long(&why, ch->skipped.data_bytes);
    else
        shim_fail_memory(&why);
    ch->ops->skipped(ch->user, &ch->skipped, &why);
    return true;
}

/* False when there is no whole frame yet. */
static bool take_one(struct ttrpc_channel *ch)
{
    struct ttrpc_frame frame;
    ssize_t n;

    if (ch->skip_bytes > 0)
        return skip_on(ch);
    n = ttrpc_frame_parse(ch->buf + ch->begin, ch->end - ch->begin, &frame, NULL);
    if (n == 0)
        return false;
    if (n < 0) {
        skip_begin(ch, &frame);
        return true;
    }
    ch->begin += (size_t)n;
    ch->ops->frame(ch->user, &frame);
    return true;
}

/* Room for what the begun frame needs, but no more than twice what came: its length is only a
 * promise. */
static bool make_room(struct ttrpc_channel *ch)
{
    struct ttrpc_frame begun = {0};
    size_t have = ch->end - ch->begin, cap = ch->cap, need;
    uint8_t *buf;

    if (have > 0)
        memmove(ch->buf, ch->buf + ch->begin, have);
    ch->begin = 0;
    ch->end = have;
    if (have >= TTRPC_HEADER_BYTES)
        ttrpc_frame_get_header(ch->buf, &begun);
    need = TTRPC_HEADER_BYTES + begun.data_bytes;
    if (have == 0)
        cap = READ_BYTES;
    else if (need > cap)
        cap = need < cap * 2 ? need : cap * 2;
    if (cap == ch->cap)
        return true;
    buf = realloc(ch->buf, cap);
    if (!buf)
        return false;
    ch->buf = buf;
    ch->cap = cap;
    return true;
}

/* Makes room, or gives the begun frame up where there is no memory for it. */
static bool prepare_to_read(struct ttrpc_channel *ch)
{
    struct ttrpc_frame begun;

    if (make_room(ch))
        return true;
    if (ch->end < TTRPC_HEADER_BYTES)
        return false;
    ttrpc_frame_get_header(ch->buf, &begun);
    skip_begin(ch, &begun);
    skip_on(ch); /* what came so far */
    ch->begin = ch->end = 0;
    return true;
}

static void read_more(struct ttrpc_channel *ch)
{
    bool room = prepare_to_read(ch), lost = false;

    if (!room)
        ttrpc_channel_close(ch);
    shim_lock(&ch->lock);
    if (ch->closed || ch->finishing) {
        lost = give_back_locked(ch, &ch->reading);
    } else {
        nng_iov iov = {.iov_buf = ch->buf + ch->end, .iov_len = ch->cap - ch->end};

        nng_aio_set_iov(ch->read_aio, 1, &iov);
        nng_stream_recv(ch->stream, ch->read_aio);
    }
    shim_unlock(&ch->lock);
    if (lost)
        tell_lost(ch);
}

/* False when the reader has to stop; its token is then given back. */
static bool may_take_more(struct ttrpc_channel *ch)
{
    bool stop, lost = false;

    shim_lock(&ch->lock);
    stop = ch->closed || ch->finishing;
    if (!stop && (ch->held || ch->queued_bytes > ch->max_queued_bytes))
        stop = ch->paused = true;
    if (stop)
        lost = give_back_locked(ch, &ch->reading);
    shim_unlock(&ch->lock);
    if (lost)
        tell_lost(ch);
    return !stop;
}

static void read_on(struct ttrpc_channel *ch)
{
    do {
        if (!may_take_more(ch))
            return;
    } while (take_one(ch));
    read_more(ch);
}

/* The peer writes no more: it may be gone, or not. */
static void read_ended(struct ttrpc_channel *ch)
{
    bool lost;

    shim_lock(&ch->lock);
    ch->ended = true;
    lost = give_back_locked(ch, &ch->reading);
    if (!ch->closed && !ch->sending)
        probe_locked(ch);
    shim_unlock(&ch->lock);
    if (lost)
        tell_lost(ch);
}

static void read_done(void *arg)
{
    struct ttrpc_channel *ch = arg;
    int rv = nng_aio_result(ch->read_aio);
    size_t bytes = !ch->waking && rv == 0 ? nng_aio_count(ch->read_aio) : 0;

    if (ch->waking || bytes > 0) {
        ch->waking = false;
        ch->end += bytes;
        read_on(ch);
        return;
    }
    if (rv == NNG_ECONNSHUT && ch->begin == ch->end && ch->skip_bytes == 0 &&
        ttrpc_streams_half_close()) {
        read_ended(ch);
        return;
    }
    ttrpc_channel_close(ch);
    give_back(ch, &ch->reading);
}

void ttrpc_channel_hold(struct ttrpc_channel *ch, bool hold)
{
    shim_lock(&ch->lock);
    ch->held = hold;
    if (may_resume_locked(ch))
        wake_reader_locked(ch);
    shim_unlock(&ch->lock);
}

/* --- life ----------------------------------------------------------------------------------- */

int ttrpc_channel_new(nng_stream *stream, const struct ttrpc_channel_ops *ops, void *user,
                      size_t max_queued_bytes, struct ttrpc_channel **ret, struct shim_error *err)
{
    struct ttrpc_channel *ch = calloc(1, sizeof(*ch));

    if (!ch) {
        nng_stream_free(stream);
        return shim_fail_memory(err);
    }
    ch->ops = ops;
    ch->user = user;
    ch->max_queued_bytes = max_queued_bytes;
    ch->stream = stream;
    ch->queue_end = &ch->queue;
    shim_mutex_init(&ch->lock);
    if (nng_aio_alloc(&ch->read_aio, read_done, ch) != 0 ||
        nng_aio_alloc(&ch->send_aio, send_done, ch) != 0) {
        ttrpc_channel_free(ch);
        return shim_fail_memory(err);
    }
    *ret = ch;
    return 0;
}

void ttrpc_channel_start(struct ttrpc_channel *ch)
{
    shim_lock(&ch->lock);
    ch->reading = true;
    shim_unlock(&ch->lock);
    read_more(ch);
}

void ttrpc_channel_free(struct ttrpc_channel *ch)
{
    if (!ch)
        return;
    nng_stream_free(ch->stream);
    nng_aio_reap(ch->read_aio); /* later, elsewhere: this can be one of their callbacks */
    nng_aio_reap(ch->send_aio);
    drop_all(ch->queue);
    free(ch->buf);
    shim_mutex_done(&ch->lock);
    free(ch);
}
