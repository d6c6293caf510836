unit_test(outcome jobgate_jobs)
unit_test(request jobgate_jobs)
unit_test(request_job jobgate_jobs)
