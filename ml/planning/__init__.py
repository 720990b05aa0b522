"""From risks to a schedule: the search that the pure side of app.planning frames and writes up."""
