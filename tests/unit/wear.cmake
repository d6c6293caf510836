engine_test(wear)
