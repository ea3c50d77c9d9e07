"""What has to be installed on a server before actions can work on it, one template per engine."""
