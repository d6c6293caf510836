engine_test(engine_shelf)
