"""What a measurement will say before it is made: expected errors of each estimator."""
