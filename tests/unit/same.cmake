unit_test(same jobgate_site m)
