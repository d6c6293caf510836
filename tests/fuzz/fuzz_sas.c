/* Whatever stands in an Authorization header. What is taken has all its parts, and no token
   that was not signed with the key passes. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "links/sas.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char key_text[] = "c2VjcmV0";
    char *text = malloc(size + 1);
    struct sas_token token;
    struct sas_key key;

    assert(text && sas_key_read(&key, key_text, strlen(key_text)) == 0);
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    if (sas_token_read(&token, text) == 0) {
        assert(token.resource && token.signed_text && token.ends_s >= 0);
        assert(!sas_token_is_signed_by(&token, &key));
        sas_token_covers(&token, "localhost", "/devices/a");
        sas_token_has_ended(&token, 1795311678);
        sas_token_deinit(&token);
    }
    sas_key_read(&key, (const char *)bytes, size);
    free(text);
    return 0;
}
