fuzz_target(reply jobgate_adapters)
