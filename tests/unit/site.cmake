unit_test(site jobgate_site)
unit_test(site_bad jobgate_site)
