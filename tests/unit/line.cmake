unit_test(line jobgate_lines)
