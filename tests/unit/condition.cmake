unit_test(condition jobgate_jobs)
unit_test(query jobgate_jobs)
