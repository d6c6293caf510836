unit_test(timetext jobgate_jobs)
