/* Whatever bytes come: a job that says all that the engine needs, or a refusal. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct refusal refusal = {0};
    char *text = malloc(size ? size : 1); /* of the exact size: a step too far is seen */
    struct request *job;
    int r;

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, bytes, size);
    r = request_read_job(&job, LINK_BROKER, "fuzz", text, size, &refusal);
    if (r == 0) {
        assert(job->condition && job->query && job->document && job->max_execution_s > 0);
        assert(job->action.kind == ACTION_METHOD ? job->action.method != NULL
                                                 : job->action.arguments || job->action.tags);
        request_free(job);
    } else {
        assert(r == REQUEST_E_REFUSED && refusal.text[0]);
    }
    free(text);
    return 0;
}
