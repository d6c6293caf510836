unit_test(text jobgate_base)
