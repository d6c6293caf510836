engine_test(engine_reload)
engine_test(engine_absent)
