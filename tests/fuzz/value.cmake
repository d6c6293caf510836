fuzz_target(value jobgate_site m)
