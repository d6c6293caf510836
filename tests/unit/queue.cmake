unit_test(queue jobgate_base)
