"""Database servers and poolers: how they are found, probed and, from inside a Job, worked on."""
