unit_test(http_path jobgate_links)
