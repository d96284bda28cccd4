"""Acts, the feed and the near-cache over real stores."""
