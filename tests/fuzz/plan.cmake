fuzz_target(plan jobgate_lines m)
