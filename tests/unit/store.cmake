unit_test(store jobgate_store)
unit_test(store_disk jobgate_store)
