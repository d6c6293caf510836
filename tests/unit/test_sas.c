/* The expected tokens were computed by another implementation (Python's hmac). */
#include "links/sas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ENDS_S      1795311678
#define SIGNATURE   "evDfEHQG25qTsvdWVc74N6Kcw%2FONk8XLgIwCAEzhMkk%3D" /* of "gw43.example" */
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char key_text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="; /* 0, 1 .. 31 */

static struct sas_key the_key(void)
{
    struct sas_key key;

    assert_int_equal(sas_key_read(&key, key_text, strlen(key_text)), 0);
    return key;
}

static struct sas_token token_of(const char *text)
{
    struct sas_token token;

    assert_int_equal(sas_token_read(&token, text), 0);
    return token;
}

static void a_device_token_is_signed_over_the_encoded_resource(void **state)
{
    (void)state;
    struct sas_key key = the_key();
    char *token =
        sas_sign(&key, "contoso.azure-devices.net/devices/room 1/\xC3\xA4", NULL, ENDS_S);

    assert_string_equal(token,
                        "SharedAccessSignature "
                        "sr=contoso.azure-devices.net%2Fdevices%2Froom%201%2F%C3%A4"
                        "&sig=CwRD5wxDM4VTw0G3ViaUByQzT3kDyiNKTEhKx4yf1gE%3D&se=1795311678");
    free(token);
}

static void a_registration_token_names_its_policy(void **state)
{
    (void)state;
    struct sas_key key = the_key();
    char *token = sas_sign(&key, "0ne0000001/registrations/reg1", "registration", ENDS_S);

    assert_string_equal(token, "SharedAccessSignature sr=0ne0000001%2Fregistrations%2Freg1"
                               "&sig=vDWvjSeGOb%2BLyKBZiT2U7%2Bg9b%2FhU1q4QghiIyaQE6Rc%3D"
                               "&se=1795311678&skn=registration");
    free(token);
}

static void a_devices_key_follows_from_its_groups(void **state)
{
    (void)state;
    struct sas_key group = the_key(), derived, wanted;
    static const char text[] = "Xr3JVFTzKXVdh4ndPaFTLqbOft/EjjjoLBjMcOB6Csg=";

    assert_int_equal(sas_key_read(&wanted, text, strlen(text)), 0);
    assert_int_equal(sas_key_derive(&derived, &group, "room-1"), 0);
    assert_int_equal(derived.size, wanted.size);
    assert_memory_equal(derived.bytes, wanted.bytes, wanted.size);
}

static void every_client_s_layout_is_taken(void **state)
{
    (void)state;
    static const char *const layouts[] = {
        "sr=gw43.example&sig=" SIGNATURE "&skn=operator%20one&se=1795311678", /* Node */
        "sr=gw43.example&sig=" SIGNATURE "&se=1795311678&skn=operator%20one", /* Java */
        /* Python leaves '/' in sig and encodes no skn */
        "sr=gw43.example%3A8443&sig=H3AHhb8PMf9/1lNLmhdpgAR0/rQ6Uo84kK1SmowDQwM%3D"
        "&se=1795311678&skn=operator one",
        "sr=GW43.example%2Fdevices%2Fd1&sig=mnvowxRE3kbBGR4UV7UjyD0bKJleKx9GLBzk1YN85N0%3D"
        "&se=1795311678&skn=operator%20one",                                  /* C# */
        "sig=" SIGNATURE "&se=1795311678&sr=gw43.example&skn=operator%20one", /* any order */
    };
    struct sas_key key = the_key();
    char text[300];

    for (size_t i = 0; i < COUNT_OF(layouts); i++) {
        snprintf(text, sizeof(text), "SharedAccessSignature %s", layouts[i]);
        struct sas_token token = token_of(text);
        assert_true(sas_token_is_signed_by(&token, &key));
        assert_true(sas_token_covers(&token, "gw43.example", "/devices/d1"));
        assert_string_equal(token.policy, "operator one");
        assert_int_equal(token.ends_s, ENDS_S);
        sas_token_deinit(&token);
    }
}

static void a_changed_resource_end_or_key_breaks_the_signature(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SharedAccessSignature sr=gw43%2eexample&sig=" SIGNATURE "&se=1795311678",
        "SharedAccessSignature sr=gw43.example&sig=" SIGNATURE "&se=1795311679",
        "SharedAccessSignature sr=gw43.example&sig=" SIGNATURE "&se=01795311678",
    };
    struct sas_key key = the_key();
    struct sas_token token;

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        token = token_of(texts[i]);
        assert_false(sas_token_is_signed_by(&token, &key));
        sas_token_deinit(&token);
    }
    token = token_of("SharedAccessSignature sr=gw43.example&sig=" SIGNATURE "&se=1795311678");
    assert_true(sas_token_is_signed_by(&token, &key));
    key.bytes[31] ^= 1;
    assert_false(sas_token_is_signed_by(&token, &key));
    sas_token_deinit(&token);
}

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "SharedAccessSignature ",
        "sharedaccesssignature sr=a&sig=" SIGNATURE "&se=1",
        "Bearer eyJ0eXAi",
        "SharedAccessSignature sr=a&sig=" SIGNATURE,              /* no end */
        "SharedAccessSignature sr=a&se=1",                        /* no signature */
        "SharedAccessSignature sig=" SIGNATURE "&se=1",           /* no resource */
        "SharedAccessSignature sr=a&sr=b&sig=" SIGNATURE "&se=1", /* twice */
        "SharedAccessSignature sr=a&sig=" SIGNATURE "&se=",       /* empty end */
        "SharedAccessSignature sr=a&sig=" SIGNATURE "&se=-1",     /* no number */
        "SharedAccessSignature sr=a&sig=" SIGNATURE "&se=1e9",    /* no number */
        "SharedAccessSignature sr=a&sig=" SIGNATURE "&se=9999999999999999999", /* too long */
        "SharedAccessSignature sr=%zz&sig=" SIGNATURE "&se=1",   /* broken escape */
        "SharedAccessSignature sr=a%00b&sig=" SIGNATURE "&se=1", /* NUL */
        "SharedAccessSignature sr=a&sig=AAAA&se=1",              /* short signature */
        "SharedAccessSignature sr=a&sig=ev!fEHQG25qTsvdWVc74N6Kcw/ONk8XLgIwCAEzhMkk=&se=1",
        "SharedAccessSignature sr=a&sig=" SIGNATURE "&se=1&more",
    };
    struct sas_token token;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(sas_token_read(&token, texts[i]), SAS_E_FORM);
}

static void a_token_ends_a_minute_after_its_time(void **state)
{
    (void)state;
    struct sas_token token =
        token_of("SharedAccessSignature sr=gw43.example&sig=" SIGNATURE "&se=1795311678");

    assert_false(sas_token_has_ended(&token, ENDS_S + 59));
    assert_true(sas_token_has_ended(&token, ENDS_S + 60));
    sas_token_deinit(&token);
}

static void a_token_covers_whole_segments_only(void **state)
{
    (void)state;
    static const struct {
        const char *resource, *path;
        bool covers;
    } cases[] = {
        {"gw43.example", "/devices/a", true},
        {"gw43.example/", "/devices/a", true},
        {"GW43.Example:8443", "/devices/a", true},
        {"gw43.example/devices", "/devices/a", true},
        {"gw43.example/devices/a", "/devices/a", true},
        {"gw43.example/devices/a", "/devices/a/x", true},
        {"gw43.example/devices/a", "/devices/ab", false},
        {"gw43.example/devices/a", "/devices/A", false},
        {"gw43.example/devices/a", "/devices", false},
        {"gw43.example.evil", "/devices/a", false},
        {"gw43.example:", "/devices/a", false},
        {"gw43", "/devices/a", false},
        {"", "/devices/a", false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sas_token token = {.resource = (char *)(uintptr_t)cases[i].resource};
        assert_int_equal(sas_token_covers(&token, "gw43.example", cases[i].path),
                         cases[i].covers);
    }
}

static void a_key_is_strict_base64(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "=", "====", "A===", "AAA", "AA=A", "AAAA AAAA", "A-_A"};
    struct sas_key key;
    char longest[4 * 44 + 1];

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(sas_key_read(&key, bad[i], strlen(bad[i])), SAS_E_FORM);
    memset(longest, 'A', sizeof(longest));
    assert_int_equal(sas_key_read(&key, longest, 4 * 44), SAS_E_FORM);
    assert_int_equal(sas_key_read(&key, " AAA=\r\n", 7), 0);
    assert_int_equal(key.size, 2);
}

static int load(const char *text, size_t most, size_t *count, char *why)
{
    char path[] = "/tmp/test_sas-XXXXXX";
    struct sas_key keys[2];
    int fd = mkstemp(path), r;

    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    r = sas_keys_load(keys, most, count, path, why, 200);
    unlink(path);
    return r;
}

static void a_key_file_has_one_key_a_line(void **state)
{
    (void)state;
    char why[200] = "";
    size_t count;

    assert_int_equal(load("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n", 1, &count, why),
                     0);
    assert_int_equal(count, 1);
    assert_int_equal(load("AAEC\r\nAwQF", 2, &count, why), 0);
    assert_int_equal(count, 2);
    assert_true(load("AAEC\nAwQF\n", 1, &count, why) < 0);
    assert_true(load("\n", 1, &count, why) < 0);
    assert_non_null(strstr(why, "does not hold a key"));
    assert_true(sas_keys_load(&(struct sas_key){0}, 1, &count, "/nowhere", why, 200) < 0);
    assert_non_null(strstr(why, "cannot read /nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_token_is_signed_over_the_encoded_resource),
        cmocka_unit_test(a_registration_token_names_its_policy),
        cmocka_unit_test(a_devices_key_follows_from_its_groups),
        cmocka_unit_test(every_client_s_layout_is_taken),
        cmocka_unit_test(a_changed_resource_end_or_key_breaks_the_signature),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(a_token_ends_a_minute_after_its_time),
        cmocka_unit_test(a_token_covers_whole_segments_only),
        cmocka_unit_test(a_key_is_strict_base64),
        cmocka_unit_test(a_key_file_has_one_key_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
