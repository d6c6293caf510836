engine_test(engine_restore)
