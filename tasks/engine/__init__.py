"""The doors to the outside, one a tool. Nothing else starts a process or opens a socket."""
