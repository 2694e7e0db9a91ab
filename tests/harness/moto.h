/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real S3 server (moto) as a child process, on a free port of 127.0.0.1, with one bucket.
 */
#ifndef BH_TEST_MOTO_H
#define BH_TEST_MOTO_H

#include <stdbool.h>

#include "sys/storage_s3.h"

struct moto {
    int pid, stdin_fd, port;
    char key_id[64], secret[128], endpoint[64];
    egress *allow; /* names the server's address */
};

/* auth: the server checks signatures. Ends the program with a message where it cannot start. */
void moto_start(struct moto *m, bool auth);
void moto_stop(struct moto *m);
/* Kills the server at once, as a network would lose it; moto_stop() is still to be called. */
void moto_kill(struct moto *m);

/* A configuration for bucket "bucket" with short delays between tries. */
struct storage_s3_config moto_config(const struct moto *m);

#endif
