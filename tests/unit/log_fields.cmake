unit_test(log_fields jobgate_base)
