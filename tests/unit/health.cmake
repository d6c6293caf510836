unit_test(health jobgate_lines)
unit_test(turn jobgate_lines)
