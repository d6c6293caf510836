/* Whatever stands in the main file: a whole site, or problems that say why not. */
#include "site_folder.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    site_begin("", "profile = { name = \"p\"; points = { a = { holding = 0; }; }; };\n");
    site_put("main.conf", bytes, size);
    site_try();
    return 0;
}
