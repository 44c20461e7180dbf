"""What learns from images of the ground. Rooms beside `learn` hold what is theirs alone; none of them knows a site."""
