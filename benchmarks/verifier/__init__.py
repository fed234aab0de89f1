"""What the bundled verifier is trained on and by."""
