engine_test(engine_reload)
