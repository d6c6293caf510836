fuzz_target(json jobgate_jobs)
fuzz_target(job_document jobgate_jobs)
