/*
 * Hurry: lets a small message leave at once. Nagle's algorithm keeps an answer back while the
 * acknowledgement of the segment before is out, which the other side may delay by 40 ms; Paho
 * 1.3.12 neither turns it off nor tells its socket.
 */
#ifndef JOBGATE_LINKS_HURRY_H
#define JOBGATE_LINKS_HURRY_H

#include <stdint.h>

/* Sets TCP_NODELAY on every connection of this process to that port. Any thread. A connection
   of somebody else's to the same port loses nothing by it. */
void hurry_connections(uint16_t port);

#endif
