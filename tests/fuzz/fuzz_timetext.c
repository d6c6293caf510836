/* Whatever text is given: refused, or an instant that comes back from its own text. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/timetext.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1); /* of the exact size, so that a step too far is seen */
    char again[TIMETEXT_SIZE];
    int64_t ms, back;

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    if (timetext_parse(&ms, text) == 0) {
        timetext_format(again, ms);
        assert(strlen(again) + 1 == sizeof(again));
        if (strncmp(again, "0000", 4) != 0 && ms <= INT64_C(253402300799999)) {
            assert(timetext_parse(&back, again) == 0);
            assert(back == ms);
        }
    }
    if (size >= sizeof(ms)) {
        memcpy(&ms, bytes, sizeof(ms));
        timetext_format(again, ms);
        assert(strlen(again) + 1 == sizeof(again));
    }
    free(text);
    return 0;
}
