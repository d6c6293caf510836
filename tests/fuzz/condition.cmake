fuzz_target(condition jobgate_jobs)
