unit_test(reading jobgate_gateway)
