#include "base/trust.h"
#include "base/clock.h"

#include <sys/timex.h>
#include <unistd.h>

/* Folders that a time service makes when it runs: systemd-timesyncd, chrony, ntpd, ntpsec. */
static const char *const services[] = {"/run/systemd/timesync", "/run/chrony", "/run/ntpd.pid",
                                       "/run/ntpsec"};

static bool is_synchronised(void)
{
    /* systemd-timesyncd says so with a file as well, which a sandbox lets us see. */
    if (access("/run/systemd/timesync/synchronized", F_OK) == 0)
        return true;

    struct timex state = {0};
    int r = adjtimex(&state);

    /* A sandbox may refuse the question: then nothing is known. */
    return r >= 0 && r != TIME_ERROR && !(state.status & STA_UNSYNC);
}

const char *clock_doubt(void)
{
    if (clock_wall_ms() < (int64_t)JOBGATE_BUILD_TIME * 1000)
        return "it is earlier than the day on which this program was built";
    if (is_synchronised())
        return NULL;
    for (unsigned i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        if (access(services[i], F_OK) == 0)
            return "the system's time service has not set it yet";
    }
    return NULL;
}

bool clock_is_trusted(void)
{
    return !clock_doubt();
}
