/* Whatever stands in a profile: whole points and methods, or problems that say why not. */
#include "site_folder.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    site_begin(SITE_MAIN "devices = ();\n", "");
    site_put("profiles.d/p.conf", bytes, size);
    site_try();
    return 0;
}
