unit_test(site jobgate_site)
