unit_test(api jobgate_links)
unit_test(http_path jobgate_links)
