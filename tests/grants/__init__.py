"""What `service/grants` makes of requests and of grants."""
