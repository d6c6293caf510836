#include "jobs/outcome.h"
#include "site/value.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const result_names[RESULT_COUNT] = {
    [RESULT_VERIFIED] = "verified", [RESULT_UNCHANGED] = "unchanged",
    [RESULT_WRITTEN] = "written",   [RESULT_ADJUSTED] = "adjusted",
    [RESULT_NOT_SENT] = "not_sent", [RESULT_MISMATCH] = "mismatch",
    [RESULT_REFUSED] = "refused",   [RESULT_NO_ANSWER] = "no_answer",
    [RESULT_UNKNOWN] = "unknown",
};

static const struct {
    const char *name;
    int status;
} codes[CODE_COUNT] = {
    [CODE_NONE] = {"", 200},
    [CODE_BAD_REQUEST] = {"BadRequest", 400},
    [CODE_OUT_OF_RANGE] = {"OutOfRange", 400},
    [CODE_UNKNOWN_DEVICE] = {"UnknownDevice", 404},
    [CODE_UNKNOWN_METHOD] = {"UnknownMethod", 404},
    [CODE_UNKNOWN_POINT] = {"UnknownPoint", 404},
    [CODE_NOT_WRITABLE] = {"NotWritable", 405},
    [CODE_NOT_READABLE] = {"NotReadable", 405},
    [CODE_VERIFY_MISMATCH] = {"VerifyMismatch", 409},
    [CODE_OVERRIDDEN] = {"Overridden", 409},
    [CODE_SUPERSEDED] = {"Superseded", 409},
    [CODE_DEVICE_CLAIMED_TWICE] = {"DeviceClaimedTwice", 409},
    [CODE_INTERRUPTED] = {"Interrupted", 410},
    [CODE_EXPECTATION_FAILED] = {"ExpectationFailed", 417},
    [CODE_RETAINED] = {"Retained", 409},
    [CODE_STORE_UNAVAILABLE] = {"StoreUnavailable", 507},
    [CODE_QUEUE_FULL] = {"QueueFull", 429},
    [CODE_EXPIRED] = {"Expired", 408},
    [CODE_CANCELED] = {"Canceled", 499},
    [CODE_DEVICE_EXCEPTION] = {"DeviceException", 502},
    [CODE_BAD_REPLY] = {"BadReply", 502},
    [CODE_LINE_DOWN] = {"LineDown", 503},
    [CODE_DEVICE_TIMEOUT] = {"DeviceTimeout", 504},
    [CODE_OUTCOME_UNKNOWN] = {"OutcomeUnknown", 500},
    [CODE_JOB_ID_IN_USE] = {"JobIdInUse", 409},
    [CODE_JOB_NOT_FOUND] = {"JobNotFound", 404},
    [CODE_JOB_ENDED] = {"OperationNotAllowedInCurrentState", 405}, /* the hub's own word */
    [CODE_FORBIDDEN] = {"Forbidden", 403},
    [CODE_GATEWAY_TIMEOUT] = {"GatewayTimeout", 504},
};

const char *result_name(enum result result)
{
    assert(result < RESULT_COUNT);
    return result_names[result];
}

const char *code_name(enum code code)
{
    assert(code < CODE_COUNT);
    return codes[code].name;
}

int code_status(enum code code)
{
    assert(code < CODE_COUNT);
    return codes[code].status;
}

char *code_text(enum code code, const char *description)
{
    json_t *error =
        json_pack("{s:s, s:s}", "code", code_name(code), "description", description);
    char *text = error ? json_text(error) : NULL;

    json_decref(error);
    return text;
}

enum code code_find(const char *name)
{
    for (size_t i = CODE_NONE + 1; i < CODE_COUNT; i++)
        if (strcmp(codes[i].name, name) == 0)
            return (enum code)i;
    return CODE_NONE;
}
