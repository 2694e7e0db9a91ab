/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: framed messages with descriptors over a connected AF_UNIX stream socket.
 *
 * Layout of a frame (little endian):
 *   0  u32  payload length (<= CHAN_MAX_PAYLOAD)
 *   4  u16  type (tables/messages.json)
 *   6  u16  flags: bit 0 = one descriptor travels with this frame
 *   8  u64  stream: pairs questions and answers; 0 where none is meant
 *  16  payload
 * A descriptor is sent with the first byte of its frame (SCM_RIGHTS), so the receiver has it before
 * the frame is whole; it queues descriptors and hands them out to the frames flagged, in order.
 *
 * Asynchronous side (chan): one loop, unbounded-looking but capped send queue. Blocking side
 * (chan_send_blocking/chan_recv_blocking) for one-shot processes and tests.
 */
#ifndef BH_IPC_CHAN_H
#define BH_IPC_CHAN_H

#include "ipc/gen_messages.h"
#include "sys/loop.h"

#define CHAN_HEADER 16u
#define CHAN_MAX_PAYLOAD (80u * 1024u * 1024u)

struct chan_frame {
    uint16_t type;
    uint64_t stream;
    str payload; /* valid during the call */
    int fd;      /* -1 if none; the receiver owns it: take it (and set -1) or it is closed */
};

typedef struct chan chan;

struct chan_events {
    /* A whole frame. The chan may be freed inside (chan_free is deferred until it is safe). */
    void (*on_frame)(chan *c, struct chan_frame *f, void *arg);
    /* The other side is gone, or sent rubbish (why says so). Called once; free the chan then. */
    void (*on_close)(chan *c, const char *why, void *arg);
    /* The send queue fell below its low mark after chan_backlog() had grown (optional). */
    void (*on_drain)(chan *c, void *arg);
};

/* Takes over fd (made non-blocking). */
err *chan_new(loop *l, int fd, const struct chan_events *ev, void *arg, chan **ret) BH_CHECK;
/* Closes at once; queued frames are dropped. NULL is fine. */
void chan_free(chan *c);
/* Bytes queued and not yet taken by the kernel. */
size_t chan_backlog(const chan *c);
/* Stops and resumes reading, for back-pressure; frames read already are still delivered. */
void chan_pause(chan *c, bool pause);
/* Other end's pid (SO_PEERCRED), 0 if unknown. */
int chan_peer_pid(const chan *c);

/* From now on frames sent in one round of the loop leave together at its end: for channels with many small frames.
 * What is queued when the channel is freed leaves first. */
void chan_gather(chan *c);

/* Queues a frame; fd is duplicated if >= 0 (the caller keeps its own). Payload is copied.
 * Calls nobody back: on_close and on_drain come from the loop alone, so whoever sends still has what
 * he had. A chan whose other side went swallows frames until on_close tells. */
void chan_send(chan *c, uint16_t type, uint64_t stream, str payload, int fd);

/* Encodes and queues: CHAN_SEND(c, http_thing, stream, fd, .field = …). */
#define CHAN_SEND(c, name, stream, fd, ...)                                                        \
    do {                                                                                           \
        struct msg_##name chan_m_ = {__VA_ARGS__};                                                 \
        buf chan_b_ = {0};                                                                         \
        msg_##name##_encode(&chan_m_, &chan_b_);                                                   \
        chan_send((c), MSG_TYPE_##name, (stream), buf_view(&chan_b_), (fd));                      \
        buf_free(&chan_b_);                                                                        \
    } while (0)

/* Blocking, for one-shot processes: the socket must be in blocking mode. */
err *chan_send_blocking(int sock, uint16_t type, uint64_t stream, str payload, int fd) BH_CHECK;
/* Payload in the arena; *ret_eof set when the other side closed between frames. */
err *chan_recv_blocking(int sock, arena *a, size_t max, struct chan_frame *ret, bool *ret_eof)
    BH_CHECK;

/* A connected pair, close-on-exec. */
err *chan_pair(int ret_fds[2]) BH_CHECK;

#endif
