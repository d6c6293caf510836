unit_test(poll_plan jobgate_lines m)
engine_test(engine_poll)
