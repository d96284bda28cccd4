"""What people allow applications, over real stores."""
