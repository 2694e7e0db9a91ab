/* SPDX-License-Identifier: Apache-2.0 */
/* Plans that somebody changed: refused, or scored without a fault. Size and checksum are set right first,
 * so that the checks behind them are what is tried. */
#include "plan/build.h"
#include "harness/plan/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    buf block = {0}, json = {0};
    buf_add(&block, data, size);
    if (size >= sizeof(struct plan)) {
        struct plan head;
        memcpy(&head, block.p, sizeof(head));
        memcpy(head.magic, PLAN_MAGIC, sizeof(head.magic));
        head.version = PLAN_VERSION;
        head.size = size;
        memcpy(block.p, &head, sizeof(head));
        build_seal(block.p, block.n);
    }
    play_block(buf_view(&block), &json);
    buf_free(&block);
    buf_free(&json);
    return 0;
}
