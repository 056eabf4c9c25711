/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets: mode 0600 and the peer's credentials. */
#include "ttrpc/platform.h"
#include <sys/stat.h>
#include <unistd.h>

int ttrpc_listen_private(nng_stream_listener *listener)
{
    mode_t before = umask(0177); /* nng's own option for modes comes after the bind */
    int rv = nng_stream_listener_listen(listener);

    umask(before);
    return rv;
}

bool ttrpc_peer_is_same_user(nng_stream *stream)
{
    uint64_t uid = 0, gid = 0;
    int rv = nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_UID, &uid);

    if (rv == 0)
        rv = nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_GID, &gid);
    if (rv == NNG_ENOTSUP)
        return true;
    return rv == 0 && uid == geteuid() && gid == getegid();
}

bool ttrpc_streams_half_close(void)
{
    return true;
}

bool ttrpc_sends_can_be_taken_back(void)
{
    return true; /* one sendmsg when it is asked for, else one when there is room */
}
