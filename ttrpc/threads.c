/* SPDX-License-Identifier: Apache-2.0 */
/* How many threads nng starts, where it lets us say so (from 1.7 on). */
#include "ttrpc/ttrpc.h"
#include <nng/nng.h>

void ttrpc_limit_threads(void)
{
#ifdef TTRPC_NNG_HAS_PARAMETERS
    nng_init_set_parameter(NNG_INIT_NUM_TASK_THREADS, 2); /* with fewer it could deadlock */
    nng_init_set_parameter(NNG_INIT_NUM_EXPIRE_THREADS, 1);
    nng_init_set_parameter(NNG_INIT_NUM_POLLER_THREADS, 1);
    nng_init_set_parameter(NNG_INIT_NUM_RESOLVER_THREADS, 1); /* of no use here, but it wants one */
#endif
}
