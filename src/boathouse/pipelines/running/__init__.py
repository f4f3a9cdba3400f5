"""An update carried out: tables made, flows run, views refreshed, in the process of the update."""
