/*
 * Names of machines: what a resolver can be asked for at all.
 */
#include "site/config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Digits and dots alone are an address, or nothing. */
bool host_is_good(const char *host)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    size_t length = strlen(host);
    unsigned char address[sizeof(struct in6_addr)];
    char plain[INET6_ADDRSTRLEN];

    if (strchr(host, ':')) { /* the interface of a link-local address stands after % */
        snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(host, "%"), host);
        return inet_pton(AF_INET6, plain, address) == 1;
    }
    if (strspn(host, "0123456789.") == length)
        return inet_pton(AF_INET, host, address) == 1;
    return length <= 253 && strspn(host, letters) == length;
}

bool host_split(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *from = *text == '[' ? text + 1 : text;
    size_t length = strcspn(from, *text == '[' ? "]" : ":");
    const char *rest = from + length;
    unsigned long number;
    char *end;

    if (*text == '[' && *rest++ != ']')
        return false;
    if (length == 0 || length >= size || strcspn(from, " \t/@?#") < length)
        return false;
    memcpy(host, from, length);
    host[length] = '\0';
    if (*rest == '\0')
        return true;
    if (rest[0] != ':' || rest[1] < '0' || rest[1] > '9')
        return false;
    number = strtoul(rest + 1, &end, 10);
    if (*end != '\0' || number == 0 || number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}
