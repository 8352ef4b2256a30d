"""Container tasks for a repository that holds several images: build, push, clean, set up."""
