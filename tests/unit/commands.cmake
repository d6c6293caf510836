unit_test(grid jobgate_commands)
unit_test(progress jobgate_commands)
