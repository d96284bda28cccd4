"""One presented credential becomes one principal, or a refusal."""
