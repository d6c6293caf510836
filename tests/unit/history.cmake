unit_test(history jobgate_store)
