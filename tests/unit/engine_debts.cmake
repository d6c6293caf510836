engine_test(engine_debts)
