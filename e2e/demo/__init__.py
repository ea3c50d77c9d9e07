"""`make demo`: breaks a real service in front of your eyes and shows how it heals, from the records themselves."""
