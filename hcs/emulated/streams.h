/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard streams of one emulated process: the ends that the process gets, kept until it
 * runs, and its console. Short calls only. Threads: one at a time.
 */
#pragma once
#include "hcs/hcs.h"

struct emu_streams {
    intptr_t child[3]; /* what become 0, 1 and 2; SHIM_NO_HANDLE: the null device */
    intptr_t master;   /* the console's, kept for its size; SHIM_NO_HANDLE: no console */
};
#define EMU_STREAMS_INIT                                                                           \
    {                                                                                              \
        .child = {SHIM_NO_HANDLE, SHIM_NO_HANDLE, SHIM_NO_HANDLE}, .master = SHIM_NO_HANDLE        \
    }

/**
 * Opens what `io` asks for and puts the other ends of pipes into it. Console handles do not block.
 *
 * @param width,height  of the console where io does not say.
 * On failure nothing is open and `io` is as it was. SHIM_E_INVALID: a console with streams that it
 * cannot have.
 */
SHIM_MUST_USE int emu_streams_open(struct emu_streams *s, struct hcs_stdio *io, uint16_t width,
                                   uint16_t height, struct shim_error *err);
/* The process has its own copies now. */
void emu_streams_close_child(struct emu_streams *s);
void emu_streams_close(struct emu_streams *s);
/* No console is success. */
SHIM_MUST_USE int emu_streams_resize(struct emu_streams *s, uint16_t width, uint16_t height,
                                     struct shim_error *err);
