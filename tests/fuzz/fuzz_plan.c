/* Whatever JSON is asked of a device: refused in whole UTF-8, or a plan whose frames fit. */
#include <assert.h>

#include "../unit/fixture_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char path[] = "climate.room.setpoint";
static char label[] = "climate.label";

static void make_profile(struct fixture *f)
{
    fixture_init(f);
    point_scale(fixture_point(f, "setpoint", POINT_INT16, 100), 0.1, -40);
    f->points[0].property = path;
    fixture_point(f, "flow", POINT_FLOAT32, 101)->has_max = true;
    f->points[1].max = 1e6;
    fixture_point(f, "energy", POINT_UINT64, 103);
    fixture_bits(f, "fan", 107, 4, 3);
    fixture_bits(f, "lamp", 107, 0, 1);
    fixture_point(f, "label", POINT_STRING, 108)->property = label;
    fixture_coil(f, "a", 0);
    fixture_coil(f, "b", 1)->write_with = 5;
    fixture_trigger(f, "control", 112);
    fixture_point(f, "slow", POINT_BCD32, 113)->write_with = 6;
    fixture_point(f, "status", POINT_UINT16, 200)->writable = false;
    fixture_argument(f, 0, "setpoint", NULL);
    fixture_argument(f, 1, "flow", "1.5");
    f->profile.functions = 1u << 3 | 1u << 6 | 1u << 16 | 1u << 22 | 1u << 23;
    f->profile.max_write = 8;
}

static void check(const struct fixture *f, const struct plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        struct plan_step part;
        assert(step->operation.count <= ADAPTER_WORDS_MAX);
        assert(step->kind != PLAN_WRITE || step->operation.count <= f->profile.max_write);
        for (size_t k = 0; k < step->item_count; k++) {
            assert(plan_step_split(&part, &f->site, plan, i, k) == 0);
            plan_step_deinit(&part);
        }
    }
    for (size_t i = 0; i < plan->refusal_count; i++) {
        json_t *text = json_string(plan->refusals[i].text);
        assert(text);
        json_decref(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fixture f;

    if (size < 1)
        return 0;
    make_profile(&f);
    struct action action = {.kind = (enum action_kind)(bytes[0] % 4),
                            .method = (char *)(uintptr_t) "go"};
    action.arguments = json_loadb((const char *)bytes + 1, size - 1,
                                  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    struct plan *plan;
    int r = plan_new(&plan, &f.site, 0, &action, &f.error);
    if (r == 0) {
        check(&f, plan);
        plan_free(plan);
    } else {
        json_t *text = json_string(f.error.text);
        assert(r == PLAN_E_REFUSED && text && f.error.status >= 400 && f.error.code);
        json_decref(text);
    }
    json_decref(action.arguments);
    fixture_deinit(&f);
    return 0;
}
