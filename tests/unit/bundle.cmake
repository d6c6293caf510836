unit_test(recorder jobgate_jobs)
unit_test(redact jobgate_commands)
