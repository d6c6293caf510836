/* Schema of the database: its version, and the steps from each version to the next. */
#ifndef JOBGATE_STORE_STORE_SCHEMA_H
#define JOBGATE_STORE_STORE_SCHEMA_H

#include <stddef.h>

/* store_steps[n] makes version n + 1 out of version n. A step that was released never changes.
 */
extern const char *const store_steps[];
extern const size_t store_step_count;

#endif
