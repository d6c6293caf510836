/* Whatever bytes come: JSON, or a refusal that can be sent as JSON. */
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
    json_t *json;
    int r;

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, bytes, size);
    r = request_read_json(&json, text, size, &refusal);
    if (r == REQUEST_E_REFUSED) {
        json = json_string(refusal.text);
        assert(json && refusal.code == CODE_BAD_REQUEST);
        r = 0;
    }
    if (r == 0)
        json_decref(json);
    free(text);
    return 0;
}
