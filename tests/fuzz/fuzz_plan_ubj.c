/* SPDX-License-Identifier: Apache-2.0 */
/* XGBoost models in UBJSON: any bytes are refused with a reason, or make a plan that scores. */
#include "harness/plan/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    play_fuzz("xgboost-ubj", data, size);
    return 0;
}
