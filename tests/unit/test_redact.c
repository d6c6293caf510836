#include "commands/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "dGhlIGtleSBvZiB0aGUgc2NlbmFyaW9zLCAzMiBsb25nIQ=="

static void expect(const char *text, bool foreign, const char *wanted)
{
    struct redact *redact = redact_new(NULL);
    char *clean = redact_text(redact, text, foreign);

    assert_string_equal(clean, wanted);
    free(clean);
    redact_free(redact);
}

static void what_is_no_secret_stays(void **state)
{
    (void)state;
    expect(
        "lines = ( { port = \"/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10KZP45-if00\"; } );",
        true,
        "lines = ( { port = \"/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10KZP45-if00\"; } "
        ");");
    expect("/usr/share/jobgate/profiles/averyveryverylongnameofafolder", true,
           "/usr/share/jobgate/profiles/averyveryverylongnameofafolder");
    expect("key_file = \"/etc/jobgate/iothub.key\"; url = \"mqtts://h:8883\";", true,
           "key_file = \"/etc/jobgate/iothub.key\"; url = \"mqtts://h:8883\";");
}

static void a_password_in_a_url_goes(void **state)
{
    (void)state;
    expect("url = \"mqtt://me:hunter2@broker:1883\"", false,
           "url = \"mqtt://[removed]@broker:1883\"");
}

static void a_connection_string_loses_its_key(void **state)
{
    (void)state;
    expect("HostName=h;SharedAccessKey=abc123=;x", false,
           "HostName=h;SharedAccessKey=[removed];x");
}

static void what_looks_like_a_key_goes_from_what_was_written_by_hand(void **state)
{
    (void)state;
    expect("# " KEY " old", true, "# [removed] old");
    expect("etag " KEY, false, "etag " KEY);
}

static void the_contents_of_key_files_go(void **state)
{
    char path[] = "/tmp/jobgate-redact-XXXXXX";
    int fd = mkstemp(path);
    static const char lines[] = "# keys\nroom-1 c2VjcmV0IG9uZQ==\nopen-sesame\n";
    struct iothub_config hub = {.key_file = path};
    struct site site = {.iothub = &hub};

    (void)state;
    assert_int_equal(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
    close(fd);
    struct redact *redact = redact_new(&site);
    char *clean =
        redact_text(redact, "room-1 said c2VjcmV0IG9uZQ== and open-sesame # keys", false);
    assert_string_equal(clean, "room-1 said [removed] and [removed] # keys");
    free(clean);
    redact_free(redact);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_secret_stays),
        cmocka_unit_test(a_password_in_a_url_goes),
        cmocka_unit_test(a_connection_string_loses_its_key),
        cmocka_unit_test(what_looks_like_a_key_goes_from_what_was_written_by_hand),
        cmocka_unit_test(the_contents_of_key_files_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
