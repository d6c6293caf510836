unit_test(sas jobgate_links)
