#include "site/same.h"

#include <string.h>

bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_json(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

static bool same_number(double a, double b)
{
    uint64_t x = 0, y = 0; /* by their bits: what is not said is no number, and the same */

    memcpy(&x, &a, sizeof(x));
    memcpy(&y, &b, sizeof(y));
    return x == y;
}

bool same_wire(const struct line_config *a, const struct line_config *b)
{
    const struct adapter_settings *x = &a->settings, *y = &b->settings;

    return a->adapter == b->adapter && same_text(x->port, y->port) && x->baud == y->baud &&
           x->parity == y->parity && x->data_bits == y->data_bits &&
           x->stop_bits == y->stop_bits && x->rs485 == y->rs485 &&
           same_text(x->host, y->host) && x->tcp_port == y->tcp_port;
}

static bool same_values(const struct point *a, const struct point *b)
{
    if (a->value_count != b->value_count)
        return false;
    for (size_t i = 0; i < a->value_count; i++) {
        if (!same_text(a->values[i].name, b->values[i].name) ||
            a->values[i].raw != b->values[i].raw)
            return false;
    }
    return true;
}

/* How its words are understood. */
static bool same_meaning(const struct point *a, const struct point *b)
{
    return same_text(a->unit, b->unit) && a->type == b->type &&
           memcmp(a->order, b->order, sizeof(a->order)) == 0 && a->bit_low == b->bit_low &&
           a->bit_count == b->bit_count && a->scaled == b->scaled &&
           same_number(a->scale, b->scale) && same_number(a->offset, b->offset) &&
           a->decimals == b->decimals && a->has_min == b->has_min && a->has_max == b->has_max &&
           same_number(a->min, b->min) && same_number(a->max, b->max) && same_values(a, b);
}

/* How it is written and read. */
static bool same_use(const struct point *a, const struct point *b)
{
    return a->readable == b->readable && a->writable == b->writable && a->kind == b->kind &&
           a->verify == b->verify && a->settle_ms == b->settle_ms &&
           a->verify_within_ms == b->verify_within_ms && a->tolerance == b->tolerance &&
           a->write_with == b->write_with && a->if_different == b->if_different &&
           a->max_writes_per_day == b->max_writes_per_day && a->broadcast == b->broadcast &&
           a->join == b->join && a->poll_ms == b->poll_ms &&
           same_number(a->deadband, b->deadband);
}

static bool same_point(const struct point *a, const struct point *b)
{
    return same_text(a->name, b->name) && same_text(a->property, b->property) &&
           a->table == b->table && a->address == b->address && a->count == b->count &&
           same_meaning(a, b) && same_use(a, b);
}

static bool same_step(const struct step *a, const struct step *b)
{
    return a->kind == b->kind && a->point == b->point && same_json(a->value, b->value) &&
           same_text(a->arg, b->arg) && same_json(a->fallback, b->fallback) &&
           a->duration_ms == b->duration_ms && a->within_ms == b->within_ms &&
           a->every_ms == b->every_ms && a->has_min == b->has_min && a->has_max == b->has_max &&
           same_number(a->min, b->min) && same_number(a->max, b->max) &&
           a->point_count == b->point_count &&
           (a->point_count == 0 ||
            memcmp(a->points, b->points, a->point_count * sizeof(*a->points)) == 0);
}

static bool same_method(const struct method *a, const struct method *b)
{
    if (!same_text(a->name, b->name) || !same_text(a->title, b->title) ||
        a->step_count != b->step_count || a->repeatable != b->repeatable ||
        a->once != b->once || a->restore != b->restore)
        return false;
    for (size_t i = 0; i < a->step_count; i++) {
        if (!same_step(&a->steps[i], &b->steps[i]))
            return false;
    }
    return true;
}

bool same_profile(const struct profile *a, const struct profile *b)
{
    if (!same_text(a->name, b->name) || !same_text(a->title, b->title) ||
        a->point_count != b->point_count || a->method_count != b->method_count ||
        a->numbering != b->numbering || a->functions != b->functions ||
        a->max_read != b->max_read || a->max_write != b->max_write || a->gap_us != b->gap_us ||
        a->timeout_us != b->timeout_us || a->retries != b->retries)
        return false;
    for (size_t i = 0; i < a->point_count; i++) {
        if (!same_point(&a->points[i], &b->points[i]))
            return false;
    }
    for (size_t i = 0; i < a->method_count; i++) {
        if (!same_method(&a->methods[i], &b->methods[i]))
            return false;
    }
    return true;
}

bool same_broker(const struct broker_config *a, const struct broker_config *b)
{
    if (!a || !b)
        return a == b;
    return same_text(a->url, b->url) && a->protocol == b->protocol &&
           same_text(a->root, b->root) && same_text(a->username, b->username) &&
           same_text(a->password_file, b->password_file) && same_text(a->ca_file, b->ca_file) &&
           same_text(a->cert_file, b->cert_file) && same_text(a->key_file, b->key_file) &&
           a->keepalive_s == b->keepalive_s && a->session_expiry_s == b->session_expiry_s;
}

bool same_iothub(const struct iothub_config *a, const struct iothub_config *b)
{
    if (!a || !b)
        return a == b;
    return same_text(a->host, b->host) && same_text(a->dps_endpoint, b->dps_endpoint) &&
           same_text(a->dps_scope, b->dps_scope) && same_text(a->auth, b->auth) &&
           same_text(a->key_file, b->key_file) && same_text(a->cert_file, b->cert_file) &&
           same_text(a->ca_file, b->ca_file) && a->port == b->port &&
           a->connect_per_s == b->connect_per_s && a->telemetry == b->telemetry &&
           a->token_life_s == b->token_life_s;
}

bool same_devices(const struct site *a, const struct site *b)
{
    if (a->device_count != b->device_count)
        return false;
    for (size_t i = 0; i < a->device_count; i++) {
        if (strcmp(a->devices[i].id, b->devices[i].id) != 0)
            return false;
    }
    return true;
}
