unit_test(plan jobgate_lines m)
unit_test(plan_method jobgate_lines m)
unit_test(plan_show jobgate_lines)
