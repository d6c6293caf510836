/*
 * Log fields: what a line of the log is about, for `journalctl JOBGATE_DEVICE=room-7`.
 *
 * Messages begin with what they are about: "line floor3: up", "job night-2: device room-7 is no
 * longer in the site". So the fields come from the message, and cannot say anything else.
 */
#ifndef JOBGATE_BASE_LOG_FIELDS_H
#define JOBGATE_BASE_LOG_FIELDS_H

#include <stddef.h>

enum { LOG_FIELDS = 3, LOG_FIELD_SIZE = 160 };

/* "JOBGATE_LINE=floor3", "JOBGATE_DEVICE=room-7", "JOBGATE_JOB=night-2"; how many. */
size_t log_fields_of(const char *message, char fields[LOG_FIELDS][LOG_FIELD_SIZE]);

#endif
