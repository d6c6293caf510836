unit_test(twin jobgate_twins)
