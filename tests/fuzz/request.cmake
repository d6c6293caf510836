fuzz_target(json jobgate_jobs)
