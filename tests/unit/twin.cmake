unit_test(twin jobgate_twins)
unit_test(metadata jobgate_jobs m)
