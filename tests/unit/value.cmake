unit_test(value jobgate_site m)
