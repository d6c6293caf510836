#include "base/clock.h"

#include <time.h>

int64_t clock_boot_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_BOOTTIME, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

struct moment clock_now(bool trusted)
{
    return (struct moment){
        .boot_us = clock_boot_us(), .wall_ms = clock_wall_ms(), .trusted = trusted};
}
