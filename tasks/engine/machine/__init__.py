"""Make this machine able to build: engine, buildx, builders, base images, emulation."""
