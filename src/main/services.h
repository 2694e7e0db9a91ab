/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services that live inside control besides its routes: what they start, and which frames of
 * the supervisor and of gateways they take.
 */
#ifndef BH_MAIN_SERVICES_H
#define BH_MAIN_SERVICES_H

#include "rest/control.h"

err *services_start(struct control *c) BH_CHECK;
void services_stop(struct control *c);
/* After the workers ended: what they may have used until then. */
void services_end(struct control *c);
/* spawned, leased, ended, status. */
void services_on_supervisor(struct control *c, struct chan_frame *f);

#endif
