fuzz_target(sas jobgate_links)
