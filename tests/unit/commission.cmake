unit_test(scan jobgate_commands)
unit_test(scan_wish jobgate_commands)
unit_test(survey jobgate_commands)
unit_test(scan_show jobgate_commands)
