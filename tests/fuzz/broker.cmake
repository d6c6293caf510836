fuzz_target(topic jobgate_links)
