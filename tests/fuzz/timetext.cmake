fuzz_target(timetext jobgate_jobs)
