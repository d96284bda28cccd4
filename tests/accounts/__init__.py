"""People: names, passwords, sign-in and every act on an account."""
