/*
 * Acknowledgements of desired properties, {value, ac, av, ad}, as IoT Hub sees them in the
 * reported ones. Pure.
 */
#ifndef JOBGATE_LINKS_IOTHUB_ACKS_H
#define JOBGATE_LINKS_IOTHUB_ACKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The merge patch that makes `want` of `have`; what is only in `have` is deleted where it
   stands in `may_go` too. New reference, never NULL. */
json_t *hub_difference(const json_t *have, const json_t *want, const json_t *may_go);

int64_t acks_newest(const json_t *reported); /* the highest av, 0: none */
/* What of `desired` is not acknowledged as held. `latest`: no newer version than the newest
   acknowledgement's exists, so what was acknowledged as failed was handled too. New reference.
 */
json_t *acks_not_held(const json_t *desired, const json_t *reported, bool latest);
/* What of `desired` is acknowledged as not taken (429, 507). New reference. */
json_t *acks_not_taken(const json_t *desired, const json_t *reported);
/* Acknowledgements of properties that are no longer desired may go: into `ours`. */
void acks_release_stale(json_t *ours, const json_t *desired, const json_t *reported);

/* The gateway's reported document in the hub's terms. `of_hub` has the dotted paths of what is
   acknowledged to the hub, with the hub's own $version; what another link set is no answer to
   the hub: 203, av 0. Numbers that the hub does not take become text, and where it all would be
   more than the hub takes, acknowledgements of unknown properties go first: *cut. Takes over
   `document`. */
json_t *acks_for_hub(json_t *document, const json_t *of_hub, bool *cut);

#endif
