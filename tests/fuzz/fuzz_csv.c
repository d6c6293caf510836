/* Whatever stands in a spreadsheet: whole devices, or problems that say why not. */
#include "site_folder.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    site_begin(SITE_MAIN "devices_file = \"devices.csv\";\n",
               "profile = { name = \"p\"; points = { a = { holding = 0; }; }; };\n");
    site_put("devices.csv", bytes, size);
    site_try();
    return 0;
}
