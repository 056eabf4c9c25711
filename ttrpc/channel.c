/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reader, one writer, one closer at a time: `reading`, `sending` and `closing` are tokens.
 * Whoever holds one owns that direction's buffers without the lock, and the stream cannot be freed.
 * Once the connection is closed and all tokens are back it is lost, which only the reader tells.
 *
 * nng completes operations on threads of its own. Those that are waited for begin under the lock,
 * and none once `closed` is set: nng 1.5 never completes one that begins after nng_stream_close().
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
    nng_aio *read_aio, *send_aio; /* with callbacks */
    nng_aio *try_aio;             /* the writer's */

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

/* Has the reader run on an nng thread. */
static void wake_reader_locked(struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    ch->paused = false;
    ch->reading = true;
    ch->waking = true;
    nng_sleep_aio(0, ch->read_aio);
}

/* Gives the writer's or the closer's token back. */
static void give_back_locked(struct ttrpc_channel *ch, bool *token) SHIM_REQUIRES(ch->lock)
{
    *token = false;
    if (ch->closed && !ch->reading && !ch->sending && !ch->closing)
        wake_reader_locked(ch);
}

/* Gives the reader's token back; true when it then has to tell that the connection is lost. */
static bool end_reading_locked(struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    ch->reading = false;
    return ch->closed && !ch->sending && !ch->closing;
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
    give_back_locked(ch, &ch->closing);
    shim_unlock(&ch->lock);
}

/* --- sending -------------------------------------------------------------------------------- */

/* What is to be sent next, as much as one operation takes. */
static unsigned gather_locked(const struct ttrpc_channel *ch, nng_iov iov[IOV_MAX_N])
    SHIM_REQUIRES(ch->lock)
{
    size_t sent_bytes = ch->head_sent_bytes;
    unsigned n = 0;

    for (struct ttrpc_out *out = ch->queue; out && n < IOV_MAX_N; out = out->next) {
        iov[n].iov_buf = out->data + sent_bytes;
        iov[n].iov_len = out->bytes - sent_bytes;
        sent_bytes = 0;
        n++;
    }
    return n;
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

/* Sends what the socket takes at once; 0 when that is nothing, whatever the reason. Saves waking a
 * thread for the completion, a third of a round trip. (The aio's result says nothing here: later
 * nng overwrites it when it cancels what is done already.) */
static size_t try_send(struct ttrpc_channel *ch, const nng_iov *iov, unsigned n)
{
    if (!ttrpc_sends_can_be_taken_back())
        return 0;
    nng_aio_set_iov(ch->try_aio, n, iov);
    nng_stream_send(ch->stream, ch->try_aio);
    nng_aio_cancel(ch->try_aio);
    nng_aio_wait(ch->try_aio);
    return nng_aio_count(ch->try_aio);
}

/* Goes on in send_done, with the writer's token. */
static void send_locked(struct ttrpc_channel *ch, const nng_iov *iov, unsigned n)
    SHIM_REQUIRES(ch->lock)
{
    nng_aio_set_iov(ch->send_aio, n, iov);
    nng_stream_send(ch->stream, ch->send_aio);
}

static void send_later(struct ttrpc_channel *ch, const nng_iov *iov, unsigned n)
{
    shim_lock(&ch->lock);
    if (ch->closed)
        give_back_locked(ch, &ch->sending);
    else
        send_locked(ch, iov, n);
    shim_unlock(&ch->lock);
}

/* An empty send fails if the peer is gone, and does nothing if it only has stopped writing. */
static void probe_locked(struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    ch->ended = false;
    ch->probing = true;
    ch->sending = true;
    send_locked(ch, NULL, 0);
}

static bool may_resume_locked(const struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    return ch->paused && !ch->held && !ch->closed && !ch->finishing &&
           ch->queued_bytes <= ch->max_queued_bytes / 2;
}

/* Nothing can be sent now. True when the connection is to be closed, with the token kept. */
static bool rest_locked(struct ttrpc_channel *ch) SHIM_REQUIRES(ch->lock)
{
    if (!ch->closed && ch->finishing)
        return true;
    if (!ch->closed && ch->ended)
        probe_locked(ch);
    else
        give_back_locked(ch, &ch->sending);
    return false;
}

/* Goes on with the writer's token, after so many bytes have left. */
static void write_on(struct ttrpc_channel *ch, size_t sent_bytes)
{
    nng_iov iov[IOV_MAX_N];
    struct ttrpc_out *sent;
    bool finished = false;
    unsigned n;

    do {
        shim_lock(&ch->lock);
        sent = take_sent_locked(ch, sent_bytes);
        if (may_resume_locked(ch))
            wake_reader_locked(ch);
        n = ch->closed ? 0 : gather_locked(ch, iov);
        if (n == 0)
            finished = rest_locked(ch);
        shim_unlock(&ch->lock);
        drop_all(sent);
        sent_bytes = n > 0 ? try_send(ch, iov, n) : 0;
    } while (sent_bytes > 0);

    if (n > 0)
        send_later(ch, iov, n);
    if (finished) {
        ttrpc_channel_close(ch);
        shim_lock(&ch->lock);
        give_back_locked(ch, &ch->sending);
        shim_unlock(&ch->lock);
    }
}

static void send_done(void *arg)
{
    struct ttrpc_channel *ch = arg;
    bool ok = nng_aio_result(ch->send_aio) == 0;
    size_t bytes = ok ? nng_aio_count(ch->send_aio) : 0;
    bool probed;

    shim_lock(&ch->lock);
    probed = ch->probing;
    ch->probing = false;
    shim_unlock(&ch->lock);

    if (!ok || (bytes == 0 && !probed))
        ttrpc_channel_close(ch);
    else if (probed)
        ch->ops->half_closed(ch->user);
    write_on(ch, bytes);
}

void ttrpc_channel_send(struct ttrpc_channel *ch, struct ttrpc_out *out)
{
    bool open, begin;

    if (!out) {
        ttrpc_channel_close(ch);
        return;
    }
    out->next = NULL;
    shim_lock(&ch->lock);
    open = !ch->closed;
    begin = open && !ch->sending;
    if (open) {
        *ch->queue_end = out;
        ch->queue_end = &out->next;
        ch->queued_bytes += out->bytes;
        ch->sending = true;
    }
    shim_unlock(&ch->lock);
    if (begin)
        write_on(ch, 0);
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
        lost = end_reading_locked(ch);
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
        lost = end_reading_locked(ch);
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
    lost = end_reading_locked(ch);
    if (!ch->closed && !ch->sending)
        probe_locked(ch);
    shim_unlock(&ch->lock);
    if (lost)
        tell_lost(ch);
}

static void end_reading(struct ttrpc_channel *ch)
{
    bool lost;

    shim_lock(&ch->lock);
    lost = end_reading_locked(ch);
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
    end_reading(ch);
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
        nng_aio_alloc(&ch->send_aio, send_done, ch) != 0 ||
        nng_aio_alloc(&ch->try_aio, NULL, NULL) != 0) {
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
    nng_aio_free(ch->try_aio);
    drop_all(ch->queue);
    free(ch->buf);
    shim_mutex_done(&ch->lock);
    free(ch);
}
