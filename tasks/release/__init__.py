"""A release on its way: what is there already, the gates, and the tags of all services as one."""
